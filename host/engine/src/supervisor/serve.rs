use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::setsid;

use super::channel::Channel;
use super::client::Client;
use super::event_loop::Supervisor;
use super::frame::{Frame, MAX_PAYLOAD};
use super::output::Output;
use crate::error::chain;
use crate::instance::{Instance, Lock, Status};
use crate::sys::{self, Fork};
use crate::{Error, Instances, Paths, events, launch};

/// Forks the instance's supervisor and gives the connection to it.
pub(crate) fn spawn(paths: &Paths, instance: Instance) -> Result<Client, Error> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
            .map_err(|e| Error::System("making a socket pair", e.into()))?;
    match sys::fork().map_err(|e| Error::System("starting the supervisor", e))? {
        Fork::Parent(pid) => Ok(Client::of_child(ours, pid)),
        Fork::Child => {
            sys::close_all_but(&theirs);
            supervise(paths, instance, theirs);
            // Nothing of the command that was forked may run on in the supervisor: no destructors, no buffers of its streams.
            sys::exit_now(0)
        }
    }
}

/// The supervisor's life.
fn supervise(paths: &Paths, mut instance: Instance, caller: OwnedFd) {
    let mut caller = Channel::new(caller);
    detach();
    let lock = match take(&mut instance) {
        Ok(lock) => lock,
        // The instance is another supervisor's: nothing of it may be touched.
        Err(error) => {
            let _ = caller.send(&Frame::Failed(error.exit_code(), chain(&error)));
            return drop(linger(caller));
        }
    };
    let mut supervisor = Supervisor::new(paths, instance, lock);
    match supervisor.launch() {
        Ok(()) => {
            let _ = caller.send(&Frame::Started);
            supervisor.run(caller);
        }
        Err(error) => {
            let Supervisor { instance, output, mut log, .. } = supervisor;
            last_words(&mut log, output, &mut caller);
            fail(paths, instance, &error);
            let _ = caller.send(&Frame::Failed(error.exit_code(), chain(&error)));
            drop(linger(caller));
        }
    }
}

/// Makes the instance this process's, and begins its record anew.
fn take(instance: &mut Instance) -> Result<Lock, Error> {
    let taken = || Error::WrongState {
        name: instance.plan.name.clone(),
        state: "being started by another command",
        hint: "`coracle ps` shows it",
    };
    let lock = instance.take()?.ok_or_else(taken)?;
    instance.record.begin();
    Ok(lock)
}

/// What a guest printed before its start failed is often the reason.
fn last_words(log: &mut super::log::LogWriter, output: Option<Output>, caller: &mut Channel) {
    let Some(mut output) = output else { return };
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
pub(super) fn fail(paths: &Paths, mut instance: Instance, error: &Error) {
    let _ = launch::destroy(paths, &instance.plan);
    instance.record.status = Status::Exited;
    instance.record.finished = Some(std::time::SystemTime::now());
    instance.record.exit = Some(plan::ExitStatus::Exited(error.exit_code()));
    instance.record.error = Some(chain(error));
    let _ = instance.save();
    let code = error.exit_code().to_string();
    events::write(paths, &instance.plan, "die", &[("exitCode", &code), ("error", &chain(error))]);
    if instance.plan.auto_remove {
        let _ = Instances::open(paths).remove(&instance.plan.id, Some(&instance.plan.name));
        events::write(paths, &instance.plan, "destroy", &[]);
    }
}
