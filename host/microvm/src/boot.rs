//! From a plan to a QEMU process.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use agent_proto::{Program, Start, Terminal, VERSION};
use network::Attachment;
use plan::LaunchPlan;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};

use crate::command::{QEMU, VmConfig};
use crate::group::Group;
use crate::hypervisor::HypervisorKind;
use crate::size::Size;
use crate::spawn::{Confinement, spawn, uid_of};
use crate::volumes::VolumeServer;
use crate::{Error, Kernel, hypervisor, initrd, tsc};

/// QEMU's own messages, in the state directory.
pub(crate) const QEMU_LOG: &str = "qemu.log";

/// A started virtual machine whose agent has not been heard of yet.
pub(crate) struct Booting {
    pub(crate) qemu: Child,
    pub(crate) agent: OwnedFd,
    pub(crate) console: OwnedFd,
    pub(crate) volumes: Option<VolumeServer>,
    pub(crate) cgroup: Option<Group>,
}

/// Starts QEMU, and the volumes' server if there are volumes.
pub(crate) fn boot(
    plan: &LaunchPlan,
    network: Option<&Attachment>,
    kernel: &Kernel,
    agent: &Path,
) -> Result<Booting, Error> {
    let program = find_qemu()?;
    let size = Size::of(&plan.resources, host_cpus())?;
    let open = |path: &Path| File::open(path).map_err(Error::file("opening", path));
    let vmlinux = open(&kernel.vmlinux)?;
    let initrd = open(&initrd::cached(kernel, agent)?)?;
    let image = open(&plan.rootfs.erofs)?;
    let ((agent, agent_theirs), (console, console_theirs)) = (socket_pair()?, socket_pair()?);
    let cgroup = Group::make(plan, size)?;
    let (mut volumes, volumes_fd) = match plan.volumes.as_slice() {
        [] => (None, None),
        volumes => VolumeServer::start(volumes, &plan.state_dir).map(|(server, fd)| (Some(server), Some(fd)))?,
    };
    let hypervisor = hypervisor().kind;
    let config = VmConfig {
        hypervisor,
        size,
        tsc_khz: if hypervisor == HypervisorKind::Tcg { tsc::frequency_khz() } else { 0 },
        kernel: vmlinux.as_raw_fd(),
        initrd: initrd.as_raw_fd(),
        image: image.as_raw_fd(),
        agent: agent_theirs.as_raw_fd(),
        console: console_theirs.as_raw_fd(),
        network: network.map(|network| (network.tap.as_raw_fd(), network.mac)),
        volumes: volumes_fd.as_ref().map(AsRawFd::as_raw_fd),
    };
    let mut qemu = start_qemu(&program, &config, plan)?;
    if let Some(group) = &cgroup {
        let server = volumes.as_ref().map(VolumeServer::pid);
        let moved = std::iter::once(qemu.id()).chain(server).try_for_each(|pid| group.add(pid));
        moved.inspect_err(|_| abandon(&mut qemu, volumes.as_mut()))?;
    }
    Ok(Booting { qemu, agent, console, volumes, cgroup })
}

/// Ends what was started, before the group that it is in is removed.
fn abandon(qemu: &mut Child, volumes: Option<&mut VolumeServer>) {
    let _ = qemu.kill();
    let _ = qemu.wait();
    if let Some(server) = volumes {
        server.stop();
    }
}

fn start_qemu(program: &Path, config: &VmConfig, plan: &LaunchPlan) -> Result<Child, Error> {
    let log = plan.state_dir.join(QEMU_LOG);
    let log = File::create(&log).map_err(Error::file("making", log))?;
    let failed = |source| Error::Spawn { program: QEMU, source };
    let mut command = Command::new(program);
    command.args(config.arguments()).env_clear().current_dir("/").stdin(Stdio::null());
    command.stdout(log.try_clone().map_err(failed)?).stderr(log);
    let confinement = Confinement {
        descriptors: descriptors(config),
        uid: uid_of(&plan.id),
        group: if config.hypervisor == HypervisorKind::Kvm { kvm_group() } else { None },
        dies_with_parent: true,
    };
    spawn(&mut command, confinement).map_err(failed)
}

fn descriptors(config: &VmConfig) -> Vec<RawFd> {
    let mut fds = vec![config.kernel, config.initrd, config.image, config.agent, config.console];
    fds.extend(config.network.map(|(tap, _)| tap));
    fds.extend(config.volumes);
    fds
}

/// The group that may use `/dev/kvm`.
fn kvm_group() -> Option<u32> {
    std::fs::metadata("/dev/kvm").ok().map(|metadata| metadata.gid())
}

fn find_qemu() -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let found = std::env::split_paths(&path).map(|dir| dir.join(QEMU)).find(|file| file.is_file());
    found.ok_or(Error::NoQemu(QEMU))
}

fn host_cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

/// Ours and QEMU's end of a byte stream.
fn socket_pair() -> Result<(OwnedFd, OwnedFd), Error> {
    let flags = SocketFlags::CLOEXEC;
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    pair.map_err(Error::system("making a socket pair"))
}

/// The agent's orders.
pub(crate) fn start_message(
    plan: &LaunchPlan,
    network: Option<agent_proto::Network>,
    volumes: Vec<agent_proto::Volume>,
    terminal: Option<Terminal>,
) -> Start {
    let process = &plan.process;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Start {
        version: VERSION,
        hostname: plan.hostname.clone(),
        name: plan.name.clone(),
        read_only: plan.rootfs.read_only,
        program: Program {
            args: process.args.clone(),
            env: process.env.clone(),
            cwd: process.cwd.clone(),
            uid: process.user.uid,
            gid: process.user.gid,
            groups: process.user.additional_gids.clone(),
            terminal,
        },
        network,
        volumes,
        pids: plan.resources.pids,
        realtime_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
    }
}

/// Makes the host's terminal a plain pipe of bytes (the guest's terminal does echo, line editing and Ctrl-C) and reads its
/// size.
pub(crate) fn prepare_terminal(plan: &LaunchPlan, io: &plan::Stdio) -> Result<Option<Terminal>, Error> {
    if !plan.process.terminal {
        return Ok(None);
    }
    let mut attributes = tcgetattr(&io.stdin).map_err(Error::system("reading the terminal's settings"))?;
    attributes.make_raw();
    tcsetattr(&io.stdin, OptionalActions::Now, &attributes).map_err(Error::system("setting up the terminal"))?;
    let size = tcgetwinsize(&io.stdin).map_err(Error::system("reading the terminal's size"))?;
    Ok(Some(Terminal { cols: size.ws_col, rows: size.ws_row }))
}
