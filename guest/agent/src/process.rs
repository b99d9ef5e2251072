//! Starting the program.

#![allow(unsafe_code)] // What must happen between fork and exec has no safe interface: `CommandExt::pre_exec` is unsafe.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use agent_proto::Program;
use rustix::process::{Pid, Resource, Rlimit};
use rustix::thread::{Gid, Uid};

use crate::error::Error;
use crate::lookup;

/// The limit of open files that programs get: what systemd gives to services. More in the soft limit breaks programs that
/// use select(2) or close every possible descriptor.
const OPEN_FILES: Rlimit = Rlimit { current: Some(1024), maximum: Some(524_288) };

/// The program's standard streams, its side.
pub(crate) struct ChildStreams {
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// They are a terminal, which becomes the controlling one.
    pub(crate) terminal: bool,
}

/// Runs the program; returns when its execve(2) has succeeded.
///
/// `cgroup` is the `cgroup.procs` file of a control group that it must join first.
pub(crate) fn spawn(program: &Program, streams: ChildStreams, cgroup: Option<OwnedFd>) -> Result<Pid, Error> {
    rustix::process::setrlimit(Resource::Nofile, OPEN_FILES).map_err(Error::system("limiting open files"))?;
    let path = lookup::find(program)?;
    let mut command = Command::new(&path);
    command.arg0(&program.args[0]).args(&program.args[1..]).current_dir(&program.cwd).env_clear();
    command.envs(program.env.iter().filter_map(|entry| entry.split_once('=')));
    let terminal = streams.terminal;
    command.stdin(Stdio::from(streams.stdin)).stdout(Stdio::from(streams.stdout)).stderr(Stdio::from(streams.stderr));
    let identity = Identity::of(program);
    let enter = move || -> io::Result<()> {
        if let Some(cgroup) = &cgroup {
            rustix::io::write(cgroup, b"0")?;
        }
        rustix::process::setsid()?;
        if terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        identity.assume()
    };
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock.
    let child = unsafe { command.pre_exec(enter) }.spawn().map_err(|source| refusal(&path, source))?;
    // The reaper waits for the child, not this handle.
    Pid::from_raw(child.id().cast_signed()).ok_or(Error::OutOfOrder)
}

/// Why execve(2) failed, for the user.
fn refusal(path: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::NotFound {
        let hint = ": its interpreter or dynamic loader is missing";
        return Error::NotFound { program: path.display().to_string(), hint };
    }
    Error::NotExecutable { path: path.to_owned(), source }
}

/// Numeric identity, in the form that the system calls take.
struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Identity {
    fn of(program: &Program) -> Self {
        let groups = program.groups.iter().copied().map(Gid::from_raw).collect();
        Self { uid: Uid::from_raw(program.uid), gid: Gid::from_raw(program.gid), groups }
    }

    /// Groups first: a process without privileges cannot set them. The child has one thread, so per-thread system calls
    /// change the whole process.
    fn assume(&self) -> io::Result<()> {
        rustix::thread::set_thread_groups(&self.groups)?;
        rustix::thread::set_thread_res_gid(self.gid, self.gid, self.gid)?;
        rustix::thread::set_thread_res_uid(self.uid, self.uid, self.uid)?;
        Ok(())
    }
}

/// A control group that limits the number of processes and threads; returns its `cgroup.procs`, open for writing.
pub(crate) fn limit_processes(limit: u32) -> Result<OwnedFd, Error> {
    use rustix::mount::{MountFlags, mount};
    let failed = || Error::io("limiting the number of processes");
    let system = "limiting the number of processes: mounting the control group file system";
    std::fs::create_dir_all("/cgroup").map_err(failed())?;
    mount("cgroup2", "/cgroup", "cgroup2", MountFlags::empty(), None).map_err(Error::system(system))?;
    std::fs::write("/cgroup/cgroup.subtree_control", "+pids").map_err(failed())?;
    std::fs::create_dir_all("/cgroup/program").map_err(failed())?;
    std::fs::write("/cgroup/program/pids.max", limit.to_string()).map_err(failed())?;
    let file = OpenOptions::new().write(true).open("/cgroup/program/cgroup.procs").map_err(failed())?;
    Ok(file.into())
}

/// Makes the terminal belong to the program's user, as login programs do.
pub(crate) fn give_terminal(terminal: impl AsFd, program: &Program) -> Result<(), Error> {
    rustix::fs::fchown(terminal, Some(rustix::fs::Uid::from_raw(program.uid)), None)
        .map_err(Error::system("giving the terminal to the user"))
}
