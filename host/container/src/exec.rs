use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cgroup::{Group, Mover};
use jail::{Cloned, Namespaces, exit_now};
use oci_spec::runtime::{ContainerState, LinuxNamespaceType as Type, Process, Spec, State};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Signal, WaitId, WaitIdOptions};
use rustix::thread::ThreadNameSpaceType;

use crate::error::{Error, Stage};
use crate::first::{ExitOnUnwind, console};
use crate::message::{self, AtStage, Failure};
use crate::process::{Prepared, PrivateProc, Settings};
use crate::request::{ExecOptions, Io};
use crate::running::Running;

/// A running or created container.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its first process, seen from the host.
    pub pid: i32,
    /// Its first process.
    pub pidfd: BorrowedFd<'a>,
    /// What it is.
    pub spec: &'a Spec,
    /// The groups that the new process goes to.
    pub cgroup: &'a Group,
}

/// Runs another program in a container, in the same namespaces as its first.
///
/// The caller must be single-threaded. Returns when the program has been executed.
///
/// # Errors
/// As [`Created::start`](crate::Created::start).
pub fn exec(target: &Target<'_>, process: &Process, io: Io, options: &ExecOptions<'_>) -> Result<Running, Error> {
    let settings = Settings {
        no_new_keyring: options.no_new_keyring,
        preserve_fds: options.preserve_fds,
        listen_fds: options.listen_fds,
        further: true,
    };
    let mut process = Prepared::new(process, target.spec.linux().as_ref(), settings)?;
    if options.default_filter {
        process.use_default_filter()?;
    }
    let mover = target.cgroup.mover()?;
    let (socket, child_socket) = message::pair()?;
    match clone_on_processors(target, &process)? {
        Cloned::Child => {
            drop(socket);
            let state = options.state.cloned().unwrap_or_else(|| state(target));
            process.prepare_notification(state);
            run(target, process, &mover, &io, &child_socket)
        }
        Cloned::Parent { pid, pidfd } => {
            drop((child_socket, io));
            if has(target, Type::User) {
                process.help(pid);
            }
            let started = message::send_go(&socket).and_then(|()| message::receive(&socket));
            if started.is_err() {
                let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
                let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            }
            started.map(|()| Running::new(pid, pidfd))
        }
    }
}

/// Clones a child that is born on the processors that the specification names.
fn clone_on_processors(target: &Target<'_>, process: &Prepared) -> Result<Cloned, Error> {
    let before = process.go_to_initial_processors()?;
    let cloned = clone_into(target);
    if let Some(before) = before.filter(|_| !matches!(cloned, Ok(Cloned::Child))) {
        // It was possible a moment ago; nothing is lost if it is not any more.
        let _ = rustix::thread::sched_setaffinity(None, &before);
    }
    cloned
}

/// Clones a child that is born in the container's process namespace: setns(2) decides where the *next* child is born, so
/// one clone suffices, and this process goes back to its own namespace.
fn clone_into(target: &Target<'_>) -> Result<Cloned, Error> {
    let error = |e: Errno| Error::Stage { stage: Stage::Join, detail: String::new(), source: e.into() };
    let own = rustix::fs::open("/proc/self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(error)?;
    // The programs of the container see the child before it has dropped its privileges: they must not reach through its
    // /proc entry to this program's file (CVE-2019-5736). The child inherits this; execve(2) resets it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(error)?;
    let born_inside = ThreadNameSpaceType::PROCESS_ID;
    rustix::thread::move_into_thread_name_spaces(target.pidfd, born_inside).map_err(error)?;
    let cloned = jail::clone_process(Namespaces::NONE, target.cgroup.birth_directory());
    if !matches!(cloned, Ok(Cloned::Child)) {
        go_back(own.as_fd()).map_err(error)?;
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(error)?;
    }
    Ok(cloned?)
}

/// Lets later children be born in the caller's own process namespace again. Who is root in a user namespace only has no right
/// to that, as the namespace belongs to another: its later children are born in the container's.
pub(crate) fn go_back(own: BorrowedFd<'_>) -> rustix::io::Result<()> {
    match rustix::thread::move_into_thread_name_spaces(own, ThreadNameSpaceType::PROCESS_ID) {
        Err(Errno::PERM) => Ok(()),
        other => other,
    }
}

/// Becomes a further program, or reports why not and ends.
fn run(target: &Target<'_>, process: Prepared, mover: &Mover, io: &Io, socket: &OwnedFd) -> ! {
    let _guard = ExitOnUnwind;
    let Err(failure) = become_program(target, process, mover, io, socket);
    message::send_failure(socket, &failure);
    exit_now(125)
}

fn become_program(
    target: &Target<'_>,
    mut process: Prepared,
    mover: &Mover,
    io: &Io,
    socket: &OwnedFd,
) -> Result<Infallible, Failure> {
    if !message::wait_go(socket).at(Stage::Wait)? {
        return Err(Errno::CANCELED).at(Stage::Wait);
    }
    mover.move_self().at(Stage::Groups)?;
    join(target)?;
    let streams = console::streams(io, None, &process).at(Stage::Console)?;
    process.take_streams(streams.get())?;
    process.become_program(&PrivateProc::default(), socket)
}

/// Enters the namespaces that the container does not share with its creator, the user namespace first: it gives the rights
/// for the others.
fn join(target: &Target<'_>) -> Result<(), Failure> {
    if has(target, Type::User) {
        rustix::thread::move_into_thread_name_spaces(target.pidfd, ThreadNameSpaceType::USER).at(Stage::Join)?;
        crate::first::become_root().at(Stage::Join)?;
    }
    let mut all = ThreadNameSpaceType::empty();
    for (kind, flag) in [
        (Type::Mount, ThreadNameSpaceType::MOUNT),
        (Type::Network, ThreadNameSpaceType::NETWORK),
        (Type::Ipc, ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
        (Type::Uts, ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
        (Type::Cgroup, ThreadNameSpaceType::CONTROL_GROUP),
        (Type::Time, ThreadNameSpaceType::TIME),
    ] {
        all.set(flag, has(target, kind));
    }
    rustix::thread::move_into_thread_name_spaces(target.pidfd, all).at(Stage::Join)
}

/// What is known here of the container's state.
fn state(target: &Target<'_>) -> State {
    let mut state = State::default();
    state.set_version(target.spec.version().clone()).set_status(ContainerState::Running).set_pid(Some(target.pid));
    state.set_annotations(target.spec.annotations().clone());
    state
}

/// Whether the container has a namespace of this kind.
fn has(target: &Target<'_>, kind: Type) -> bool {
    let listed = target.spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    listed.is_some_and(|all| all.iter().any(|namespace| namespace.typ() == kind))
}
