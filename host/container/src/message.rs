//! The control socket between the engine and a process that is not yet the program. One packet is one message:
//! the engine sends "go"; the child sends "ready" just before execve(2), and a failure if anything fails. When the program
//! has been executed, the socket's end is closed by the kernel.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use plan::FailureClass;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::error::{Error, Stage};

/// What failed inside the child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
    /// What it was about, for example a path.
    pub(crate) detail: String,
    pub(crate) kind: FailureKind,
}

/// Which error a failure becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FailureKind {
    Stage = 0,
    ProgramNotFound = 1,
    InterpreterNotFound = 2,
    NotExecutable = 3,
    /// By another level's supervisor: the number is the exit status that stands for the class.
    Reported = 4,
}

impl Failure {
    /// Of a hook that ran inside.
    pub(crate) fn hook(error: &crate::hooks::HookError) -> Self {
        use std::error::Error as _;
        let errno =
            error.source().and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
        Self {
            stage: Stage::Hook,
            errno: errno.unwrap_or(libc::ECANCELED),
            detail: error.to_string(),
            kind: FailureKind::Stage,
        }
    }
}

const READY: &[u8] = b"R";
const BUILT: &[u8] = b"B";
const AT_HOOKS: &[u8] = b"H";
const GO: &[u8] = b"G";
const LEAVE: &[u8] = b"L";
/// Long enough for any path of Linux and the header.
const LARGEST: usize = 5000;
const HEADER: usize = 6;

/// Both ends; the second is the child's.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), Error> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|e| Error::Control(e.into()))
}

/// What the child is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on.
    Go,
    /// Let go of this socket and wait for somebody else.
    Leave,
}

/// Releases the child.
pub(crate) fn send_go(socket: &OwnedFd) -> Result<(), Error> {
    send_order(socket, Order::Go)
}

/// Tells the child what to do.
pub(crate) fn send_order(socket: &OwnedFd, order: Order) -> Result<(), Error> {
    let text = match order {
        Order::Go => GO,
        Order::Leave => LEAVE,
    };
    match rustix::net::send(socket, text, SendFlags::NOSIGNAL) {
        // A child that has failed already has closed its end; its message is still to be read.
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
        Err(e) => Err(Error::Control(e.into())),
    }
}

/// Waits for "go"; false if the engine has gone away instead.
pub(crate) fn wait_go(socket: impl AsFd) -> io::Result<bool> {
    Ok(wait_order(socket)? == Some(Order::Go))
}

/// Waits for an order; none if the engine has gone away instead.
pub(crate) fn wait_order(socket: impl AsFd) -> io::Result<Option<Order>> {
    let mut byte = [0u8; 1];
    let (length, _) = rustix::io::retry_on_intr(|| rustix::net::recv(&socket, &mut byte[..], RecvFlags::empty()))?;
    Ok(match &byte[..length] {
        GO => Some(Order::Go),
        LEAVE => Some(Order::Leave),
        _ => None,
    })
}

/// Tells that everything is in place and that the child waits for an order.
pub(crate) fn send_built(socket: impl AsFd) {
    let _ = rustix::net::send(socket, BUILT, SendFlags::NOSIGNAL);
}

/// Tells that the hooks of the runtime are next.
pub(crate) fn send_at_hooks(socket: impl AsFd) {
    let _ = rustix::net::send(socket, AT_HOOKS, SendFlags::NOSIGNAL);
}

/// Where a child has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// At the hooks of the runtime: it waits.
    AtHooks,
    /// Everything is in place: it waits.
    Built,
}

/// Waits until the child waits.
pub(crate) fn receive_progress(socket: &OwnedFd) -> Result<Progress, Error> {
    let mut buffer = [0u8; LARGEST];
    loop {
        let received = rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()));
        match received {
            Ok((0, _)) => return Err(Error::Died),
            Err(Errno::CONNRESET) => {}
            Ok((length, _)) if &buffer[..length] == BUILT => return Ok(Progress::Built),
            Ok((length, _)) if &buffer[..length] == AT_HOOKS => return Ok(Progress::AtHooks),
            Ok((length, _)) => return Err(decode(&buffer[..length]).map_or(Error::Died, Error::from)),
            Err(e) => return Err(Error::Control(e.into())),
        }
    }
}

/// Tells that execve(2) is next. Nothing can be done if the engine does not hear it.
pub(crate) fn send_ready(socket: impl AsFd) {
    let _ = rustix::net::send(socket, READY, SendFlags::NOSIGNAL);
}

/// Tells what failed. Nothing can be done if the engine does not hear it.
pub(crate) fn send_failure(socket: impl AsFd, failure: &Failure) {
    let _ = rustix::net::send(socket, &encode(failure), SendFlags::NOSIGNAL);
}

/// Waits until the child waits for somebody else.
pub(crate) fn receive_left(socket: &OwnedFd) -> Result<(), Error> {
    let mut buffer = [0u8; LARGEST];
    let received = rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()));
    match received {
        Ok((length, _)) if &buffer[..length] == READY => Ok(()),
        Ok((length, _)) => Err(decode(&buffer[..length]).map_or(Error::Died, Error::from)),
        Err(e) => Err(Error::Control(e.into())),
    }
}

/// Waits until the child has executed the program or has failed.
pub(crate) fn receive(socket: &OwnedFd) -> Result<(), Error> {
    wait_for_end(socket)?;
    let mut ready = false;
    let mut buffer = [0u8; LARGEST];
    loop {
        let received = rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()));
        match received {
            Ok((0, _)) => return if ready { Ok(()) } else { Err(Error::Died) },
            // The child failed before it read "go"; the kernel says so once, before it hands out the child's message.
            Err(Errno::CONNRESET) => {}
            Ok((length, _)) if &buffer[..length] == READY => ready = true,
            Ok((length, _)) if &buffer[..length] == BUILT => {}
            Ok((length, _)) => return Err(decode(&buffer[..length]).map_or(Error::Died, Error::from)),
            Err(e) => return Err(Error::Control(e.into())),
        }
    }
}

/// Sleeps until the child's end is closed. Asking for no event but that one spares the wake-up by "ready", at which the
/// engine would only take the processor away from the child.
fn wait_for_end(socket: &OwnedFd) -> Result<(), Error> {
    let mut wanted = [PollFd::new(socket, PollFlags::empty())];
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut wanted, None)).map(drop).map_err(|e| Error::Control(e.into()))
}

fn encode(failure: &Failure) -> Vec<u8> {
    let mut bytes = vec![failure.stage as u8, failure.kind as u8];
    bytes.extend(failure.errno.to_le_bytes());
    bytes.extend(failure.detail.bytes().take(LARGEST - HEADER));
    bytes
}

fn decode(bytes: &[u8]) -> Option<Failure> {
    let (header, detail) = bytes.split_at_checked(HEADER)?;
    let kind = match header[1] {
        0 => FailureKind::Stage,
        1 => FailureKind::ProgramNotFound,
        2 => FailureKind::InterpreterNotFound,
        3 => FailureKind::NotExecutable,
        4 => FailureKind::Reported,
        _ => return None,
    };
    let errno = i32::from_le_bytes(header[2..].try_into().ok()?);
    Some(Failure {
        stage: Stage::from_byte(header[0])?,
        errno,
        detail: String::from_utf8_lossy(detail).into_owned(),
        kind,
    })
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let source = io::Error::from_raw_os_error(failure.errno);
        let program = failure.detail;
        match failure.kind {
            FailureKind::Stage => Self::Stage { stage: failure.stage, detail: program, source },
            FailureKind::ProgramNotFound => Self::ProgramNotFound { program, source },
            FailureKind::InterpreterNotFound => Self::InterpreterNotFound { program, source },
            FailureKind::NotExecutable => Self::NotExecutable { program, source },
            FailureKind::Reported => Self::Reported { class: class_of(failure.errno), message: program },
        }
    }
}

fn class_of(exit_code: i32) -> FailureClass {
    let all = [FailureClass::NotExecutable, FailureClass::NotFound];
    all.into_iter().find(|class| i32::from(class.exit_code()) == exit_code).unwrap_or(FailureClass::Engine)
}

/// Names the stage, and what it was about, of a failed call.
pub(crate) trait AtStage<T> {
    fn at(self, stage: Stage) -> Result<T, Failure>;
    fn about(self, stage: Stage, detail: &str) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> AtStage<T> for Result<T, E> {
    fn at(self, stage: Stage) -> Result<T, Failure> {
        self.about(stage, "")
    }

    fn about(self, stage: Stage, detail: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure {
            stage,
            errno: error.into().raw_os_error().unwrap_or(libc::EIO),
            detail: detail.to_owned(),
            kind: FailureKind::Stage,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_survive_the_socket() {
        let (engine, child) = pair().unwrap();
        let failure = Failure {
            stage: Stage::Exec,
            errno: libc::ENOENT,
            detail: "/bin/nothing".to_owned(),
            kind: FailureKind::ProgramNotFound,
        };
        send_ready(&child);
        send_failure(&child, &failure);
        drop(child);
        let error = receive(&engine).unwrap_err();
        assert!(matches!(&error, Error::ProgramNotFound { program, .. } if program == "/bin/nothing"), "{error:?}");
        assert_eq!(error.class(), plan::FailureClass::NotFound);
    }

    #[test]
    fn a_failure_before_go_is_heard_after_it() {
        let (engine, child) = pair().unwrap();
        let failure = Failure { stage: Stage::Volumes, errno: 2, detail: String::new(), kind: FailureKind::Stage };
        send_failure(&child, &failure);
        send_go(&engine).unwrap();
        drop(child);
        assert!(matches!(receive(&engine), Err(Error::Stage { stage: Stage::Volumes, .. })));
    }

    #[test]
    fn silence_is_success_only_after_ready() {
        let (engine, child) = pair().unwrap();
        send_ready(&child);
        drop(child);
        assert!(receive(&engine).is_ok());
        let (engine, child) = pair().unwrap();
        drop(child);
        assert!(matches!(receive(&engine), Err(Error::Died)));
        assert_eq!(decode(&[99, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode(&[0, 0]), None);
    }
}
