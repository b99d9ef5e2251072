use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cgroup::Cgroup;
use jail::{Cloned, Namespaces};
use plan::{InstanceId, Process, Stdio};
use rustix::fs::{Mode, OFlags};
use rustix::process::{DumpableBehavior, Signal, WaitId, WaitIdOptions};
use rustix::thread::{CapabilitySet, ThreadNameSpaceType};

use super::init;
use crate::error::{Error, Stage};
use crate::message;
use crate::plan_api::create::exec_args;
use crate::running::Running;

/// A running container.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its identity, which leads to its control groups.
    pub id: &'a InstanceId,
    /// Its first process, seen from the host.
    pub pid: i32,
    /// Its first process.
    pub pidfd: BorrowedFd<'a>,
}

/// Runs another program in a running container, with the same namespaces, groups, capabilities and filter as its first.
///
/// The caller must be single-threaded. Returns when the program has been executed.
///
/// # Errors
/// As [`Created::start`](super::Created::start).
pub fn exec(target: &Target<'_>, process: &Process, io: Stdio) -> Result<Running, Error> {
    let args = exec_args(process)?;
    let filter = jail::seccomp::container_default()?;
    let cgroup = Cgroup::open(target.id)?;
    let (socket, child_socket) = message::pair()?;
    match clone_into(target, &cgroup)? {
        Cloned::Child => {
            drop(socket);
            init::run_joined(&init::Joined {
                pidfd: target.pidfd,
                process,
                io: &io,
                exec: &args,
                filter: &filter,
                device_nodes: may_make_nodes(target.pid),
                socket: &child_socket,
            })
        }
        Cloned::Parent { pid, pidfd } => {
            drop(child_socket);
            let started = move_and_start(&cgroup, pid, &socket);
            if started.is_err() {
                let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
                let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            }
            started.map(|()| Running::new(pid, pidfd))
        }
    }
}

fn move_and_start(cgroup: &Cgroup, pid: i32, socket: &OwnedFd) -> Result<(), Error> {
    cgroup.move_born(pid)?;
    message::send_go(socket)?;
    message::receive(socket)
}

/// Clones a child that is born in the container's process namespace: setns(2) decides where the *next* child is born, so
/// one clone suffices, and this process goes back to its own namespace.
fn clone_into(target: &Target<'_>, cgroup: &Cgroup) -> Result<Cloned, Error> {
    let error = |e: rustix::io::Errno| Error::Stage { stage: Stage::Join, detail: String::new(), source: e.into() };
    let own = rustix::fs::open("/proc/self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(error)?;
    // The programs of the container see the child before it has dropped its privileges: they must not reach through its
    // /proc entry to this program's file (CVE-2019-5736). The child inherits this; execve(2) resets it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(error)?;
    let born_inside = ThreadNameSpaceType::PROCESS_ID;
    rustix::thread::move_into_thread_name_spaces(target.pidfd, born_inside).map_err(error)?;
    let cloned = jail::clone_process(Namespaces::NONE, cgroup.birth_directory());
    if !matches!(cloned, Ok(Cloned::Child)) {
        rustix::thread::move_into_thread_name_spaces(own.as_fd(), born_inside).map_err(error)?;
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(error)?;
    }
    Ok(cloned?)
}

/// Whether the container's first process may make device nodes; a further one must not get more than that.
fn may_make_nodes(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let bounds = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapBnd:")?.trim(), 16).ok());
    bounds.is_some_and(|bits| CapabilitySet::from_bits_retain(bits).contains(CapabilitySet::MKNOD))
}
