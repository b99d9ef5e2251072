use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cgroup::{Cgroup, Devices};
use jail::{Attach, EmptyContainer, Spawned, Volume};
use network::Attachment;
use plan::{InstanceId, LaunchPlan, Stdio};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{Resource, Rlimit};

use crate::error::Error;
use crate::instance::Instance;
use crate::outcome::{self, Outcome};
use crate::{boot, descriptors};

/// What the engine adds to a plan.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// The contents of `/etc/hosts`.
    pub etc_hosts: String,
    /// The contents of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// The image's table of system call instructions ([`crate::rewrite`]); without it every call of the program traps,
    /// which is slow.
    pub rewrite_table: Option<PathBuf>,
}

/// How long the kernel may take to load the program.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The kernel and the host's random placement of it rely on mappings growing down from the stack: not so if the stack may
/// be unlimited.
const STACK_LIMIT: u64 = 8 << 20;

/// The guest's own limit and some room: a program that jumps to the gate could start threads behind the kernel's back. The
/// instance's user is its alone, so this counts its threads only.
const MOST_THREADS: u64 = 4096 + 64;
/// Open files of volumes.
const MOST_FILES: u64 = 65536;

/// Starts an instance and returns when its program runs.
///
/// # Errors
/// [`Error::Program`] if the kernel refuses the program, with the exit status that `coracle run` gives; nothing is left
/// after any error.
pub fn start(
    plan: &LaunchPlan,
    io: Stdio,
    net: Option<Attachment>,
    kernel: &Path,
    extra: &Extra,
) -> Result<Instance, Error> {
    let group = Cgroup::create(&plan.id, &plan.resources, Devices::Unrestricted)?;
    let started = launch(plan, &io, net.as_ref(), kernel, extra, &group);
    if started.is_err() {
        // The first error is the one to tell.
        let _ = cgroup::destroy(&plan.id);
    }
    started
}

fn launch(
    plan: &LaunchPlan,
    io: &Stdio,
    net: Option<&Attachment>,
    kernel: &Path,
    extra: &Extra,
    group: &Cgroup,
) -> Result<Instance, Error> {
    let program = open("the unikernel's kernel", kernel, OFlags::RDONLY)?;
    let image = open("the image", &plan.rootfs.erofs, OFlags::RDONLY)?;
    let table = extra.rewrite_table.as_deref().map(|p| open("the image's table of system calls", p, OFlags::RDONLY));
    let table = table.transpose()?;
    let volumes = OpenVolumes::open(plan)?;
    let info = boot::sealed(&boot::encode(plan, net, extra, &volumes.is_dir))?;
    let (report, status) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| Error::Pipe(e.into()))?;
    let mut fds: Vec<(BorrowedFd<'_>, RawFd)> = vec![
        (io.stdin.as_fd(), 0),
        (io.stdout.as_fd(), 1),
        (io.stderr.as_fd(), 2),
        (info.as_fd(), descriptors::BOOT_INFO),
        (image.as_fd(), descriptors::IMAGE),
        (status.as_fd(), descriptors::STATUS),
    ];
    fds.extend(net.map(|n| (n.tap.as_fd(), descriptors::TAP)));
    fds.extend(table.as_ref().map(|t| (t.as_fd(), descriptors::TABLE)));
    let spawned = spawn(&plan.id, program.as_fd(), &fds, &volumes.jailed(), group)?;
    drop(status);
    finish(Instance::new(spawned.pid, spawned.pidfd), report)
}

/// Waits for the guest's report and turns it into the result.
fn finish(mut instance: Instance, report: OwnedFd) -> Result<Instance, Error> {
    let outcome = match outcome::wait(report, START_LIMIT) {
        Ok(outcome) => outcome,
        Err(source) => {
            instance.abandon();
            return Err(Error::Pipe(source));
        }
    };
    match outcome {
        Outcome::Started => Ok(instance),
        Outcome::Failed { class, message } => {
            instance.abandon();
            Err(Error::Program { class, message })
        }
        Outcome::Panicked => {
            instance.abandon();
            Err(Error::Broken)
        }
        // The pipe is closed, so the process is ending by itself: killing it would hide how.
        Outcome::Silent => Err(Error::Ended(instance.wait().ok())),
        Outcome::Late => {
            instance.abandon();
            Err(Error::Timeout(START_LIMIT.as_secs()))
        }
    }
}

fn spawn(
    id: &InstanceId,
    program: BorrowedFd<'_>,
    fds: &[(BorrowedFd<'_>, RawFd)],
    volumes: &[Volume<'_>],
    group: &Cgroup,
) -> Result<Spawned, Error> {
    let user = host_user(id);
    let mut add = |pid: i32| group.move_born(pid).map_err(Into::into);
    let move_needed = group.birth_directory().is_none() || group.needs_move();
    let container = EmptyContainer {
        program,
        args: vec![CString::from(c"coracle-unikernel")],
        env: Vec::new(),
        fds,
        volumes,
        uid: user,
        gid: user,
        rlimits: &[
            (Resource::Stack, limit(Resource::Stack, STACK_LIMIT)),
            (Resource::Nproc, ceiling(Resource::Nproc, MOST_THREADS)),
            (Resource::Nofile, ceiling(Resource::Nofile, MOST_FILES)),
            (Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }),
        ],
        attach: Attach { into: group.birth_directory(), add: if move_needed { Some(&mut add) } else { None } },
        seccomp: None,
    };
    Ok(container.spawn()?)
}

/// The smaller of a limit and what the host allows.
fn limit(resource: Resource, wanted: u64) -> Rlimit {
    let current = rustix::process::getrlimit(resource);
    Rlimit { current: Some(current.maximum.map_or(wanted, |max| max.min(wanted))), maximum: current.maximum }
}

/// A limit that the process cannot raise again, as far as the host's own is not lower.
fn ceiling(resource: Resource, wanted: u64) -> Rlimit {
    let most = Some(rustix::process::getrlimit(resource).maximum.map_or(wanted, |max| max.min(wanted)));
    Rlimit { current: most, maximum: most }
}

/// The host's user and group of an instance's process: a number of its own, far from those that people use.
fn host_user(id: &InstanceId) -> u32 {
    const FIRST: u32 = 0x4000_0000;
    let digits = id.as_str().get(..7).and_then(|d| u32::from_str_radix(d, 16).ok());
    FIRST + digits.unwrap_or(0)
}

fn open(what: &'static str, path: &Path, flags: OFlags) -> Result<OwnedFd, Error> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(|e| Error::Open {
        what,
        path: path.to_owned(),
        source: e.into(),
    })
}

/// The host's sides of a plan's volumes.
struct OpenVolumes {
    files: Vec<(OwnedFd, String, bool)>,
    is_dir: Vec<bool>,
}

impl OpenVolumes {
    fn open(plan: &LaunchPlan) -> Result<Self, Error> {
        let mut opened = Self { files: Vec::new(), is_dir: Vec::new() };
        for (index, volume) in plan.volumes.iter().enumerate() {
            let file = open("the volume", &volume.host, OFlags::PATH)?;
            let failed =
                |e: rustix::io::Errno| Error::Open { what: "the volume", path: volume.host.clone(), source: e.into() };
            let stat = rustix::fs::fstat(&file).map_err(failed)?;
            opened.is_dir.push(match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => true,
                FileType::RegularFile => false,
                _ => return Err(Error::VolumeKind(volume.host.clone())),
            });
            opened.files.push((file, format!("volumes/{index}"), volume.read_only));
        }
        Ok(opened)
    }

    fn jailed(&self) -> Vec<Volume<'_>> {
        self.files
            .iter()
            .map(|(source, path, read_only)| Volume {
                source: source.as_fd(),
                path,
                read_only: *read_only,
                map_ids: true,
            })
            .collect()
    }
}
