use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::setsid;

use super::channel::Channel;
use super::client::Client;
use super::event_loop::Supervisor;
use super::frame::{Frame, MAX_PAYLOAD};
use super::log::LogWriter;
use super::output::{Output, open_streams};
use crate::error::chain;
use crate::instance::{Instance, Lock, ProcessId, Status};
use crate::launch::{self, Launched};
use crate::sys::{self, Fork};
use crate::{Error, Instances, Paths};

/// Forks the instance's supervisor and gives the connection to it.
pub(crate) fn spawn(paths: &Paths, instance: Instance, interactive: bool) -> Result<Client, Error> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
            .map_err(|e| Error::System("making a socket pair", e.into()))?;
    match sys::fork().map_err(|e| Error::System("starting the supervisor", e))? {
        Fork::Parent(pid) => Ok(Client::of_child(ours, pid)),
        Fork::Child => {
            sys::close_all_but(&theirs);
            supervise(paths, instance, interactive, theirs);
            // Nothing of the command that was forked may run on in the supervisor: no destructors, no buffers of its streams.
            sys::exit_now(0)
        }
    }
}

/// The supervisor's life.
fn supervise(paths: &Paths, mut instance: Instance, interactive: bool, caller: OwnedFd) {
    let mut caller = Channel::new(caller);
    detach();
    let mut output = None;
    match start(paths, &mut instance, interactive, &mut output) {
        Ok((launched, lock)) => {
            let _ = caller.send(&Frame::Started);
            let Some(output) = output else { return };
            let mut supervisor = Supervisor::new(paths, instance, Started { launched, output, lock }, caller);
            supervisor.run();
        }
        Err(error) => {
            last_words(&instance, output, &mut caller);
            fail(paths, instance, &error);
            let _ = caller.send(&Frame::Failed(error.exit_code(), chain(&error)));
            drop(linger(caller));
        }
    }
}

/// What a guest printed before its start failed is often the reason.
fn last_words(instance: &Instance, output: Option<Output>, caller: &mut Channel) {
    let Some(mut output) = output else { return };
    let mut log = LogWriter::new(instance.dir());
    output.drain(|stream, data| {
        log.write(stream, data);
        for piece in data.chunks(MAX_PAYLOAD) {
            let _ = caller.send(&Frame::Stderr(piece.to_vec()));
        }
    });
    log.finish();
}

/// A caller with a full socket gets what is queued before the supervisor goes; one that does not read is not waited for long.
fn linger(mut channel: Channel) -> Channel {
    for _ in 0..50 {
        if channel.backlog() == 0 || channel.flush().is_err() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    channel
}

/// What [`Supervisor`] needs of a started program.
pub(super) struct Started {
    pub(super) launched: Launched,
    pub(super) output: Output,
    pub(super) lock: Lock,
}

/// Starts the program; `output` is set as soon as there is something that could be read from it.
fn start(
    paths: &Paths,
    instance: &mut Instance,
    interactive: bool,
    output: &mut Option<Output>,
) -> Result<(Launched, Lock), Error> {
    let lock = Lock::try_take(&instance.lock_path())?.ok_or(Error::SupervisorLost)?;
    instance.record.supervisor = ProcessId::of(std::process::id() as i32);
    let (stdio, kept) = open_streams(instance.plan.process.terminal, interactive)?;
    *output = Some(kept);
    let plan = instance.plan.clone();
    let launched = launch::launch(paths, &plan, stdio, |pid, address| {
        instance.record.process = ProcessId::of(pid);
        instance.record.address = address;
        instance.record.status = Status::Running;
        instance.record.started = Some(std::time::SystemTime::now());
        instance.save()
    })?;
    Ok((launched, lock))
}

/// Leaves the caller's session, so that a hang-up or Ctrl-C meant for the caller does not end the instance.
fn detach() {
    let _ = setsid();
    let _ = rustix::process::chdir("/");
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGPIPE, libc::SIGQUIT] {
        sys::ignore(signal);
    }
    sys::unblock_all();
    sys::release_streams();
}

/// A start that failed leaves an instance that says why, or nothing if it was to be removed at its end.
fn fail(paths: &Paths, mut instance: Instance, error: &Error) {
    let _ = launch::destroy(paths, &instance.plan);
    instance.record.status = Status::Exited;
    instance.record.finished = Some(std::time::SystemTime::now());
    instance.record.exit = Some(plan::ExitStatus::Exited(error.exit_code()));
    instance.record.error = Some(chain(error));
    let _ = instance.save();
    if instance.plan.auto_remove {
        let _ = Instances::open(paths).remove(&instance.plan.id, Some(&instance.plan.name));
    }
}
