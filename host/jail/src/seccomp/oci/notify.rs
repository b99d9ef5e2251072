//! Handing the listener of `SCMP_ACT_NOTIFY` to the process that answers
//! (<https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#containerprocessstate>).
//!
//! From the moment that the filter is in force, each call of the process may fail, end it or wait for an answer of the
//! process that has no listener yet. So a second thread, made before and not under the filter, sends the descriptor,
//! while the first makes no call at all. Executing the program ends the second thread.
//!
//! Unsafe because a descriptor passes from one thread to the other as a number: handing it over as a value would need a
//! lock, hence a call.
#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use oci_spec::runtime::{ContainerProcessState, SECCOMP_FD_NAME, State};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, sendmsg, socket_with, sockopt,
};

use super::{Filter, Listener};

/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the process that answers notifications.
#[derive(Debug)]
pub struct Notifier {
    socket: OwnedFd,
    metadata: Option<String>,
}

impl Listener {
    /// Connects, which the runtime does while it can still see the socket.
    ///
    /// # Errors
    /// The error of connect(2).
    pub fn connect(&self) -> io::Result<Notifier> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(PATIENCE))?;
        connect(&socket, &SocketAddrUnix::new(&self.path)?)?;
        Ok(Notifier { socket, metadata: self.metadata.clone() })
    }
}

impl Notifier {
    /// What is told about a process of the container; `pid` is the process's, as the runtime sees it.
    pub fn message(&self, pid: i32, state: State) -> Vec<u8> {
        let mut message = ContainerProcessState::default();
        message.set_version(state.version().clone()).set_fds(vec![SECCOMP_FD_NAME.to_owned()]).set_pid(pid);
        message.set_metadata(self.metadata.clone()).set_state(state);
        // Strings and numbers always have a text.
        serde_json::to_vec(&message).unwrap_or_default()
    }
}

impl Filter {
    /// Puts the filter in force for this thread, and sends `message` with the listener if there is one.
    ///
    /// Needs `no_new_privs` or `CAP_SYS_ADMIN`. `TSYNC` is left out: the program that is executed next has one thread.
    ///
    /// # Errors
    /// The error of seccomp(2), or that of sending.
    pub fn install(&self, notify: Option<(Notifier, Vec<u8>)>) -> io::Result<()> {
        let flags = self.flags - super::FilterFlags::TSYNC;
        let Some((notifier, message)) = notify else {
            return self.program.install_with(flags);
        };
        let shared = Arc::new(Shared { listener: AtomicI32::new(NOT_YET), sent: AtomicI32::new(NOT_YET) });
        let sender = Arc::clone(&shared);
        thread::Builder::new().spawn(move || sender.send(&notifier, &message))?;
        match self.program.install_with_listener(flags) {
            Ok(listener) => shared.listener.store(listener.into_raw_fd(), Ordering::Release),
            Err(error) => {
                shared.listener.store(GIVEN_UP, Ordering::Release);
                return Err(error);
            }
        }
        loop {
            match shared.sent.load(Ordering::Acquire) {
                NOT_YET => std::hint::spin_loop(),
                0 => break,
                errno => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        // Freeing it could be a call.
        std::mem::forget(shared);
        Ok(())
    }
}

const NOT_YET: i32 = -1;
const GIVEN_UP: i32 = -2;

/// What the two threads tell each other.
struct Shared {
    /// The descriptor's number.
    listener: AtomicI32,
    /// The error number of sending, 0 for none.
    sent: AtomicI32,
}

impl Shared {
    fn send(&self, notifier: &Notifier, message: &[u8]) {
        let listener = loop {
            match self.listener.load(Ordering::Acquire) {
                NOT_YET => thread::sleep(Duration::from_micros(20)),
                GIVEN_UP => return,
                number => break number,
            }
        };
        // SAFETY: the other thread has given up its ownership of this descriptor.
        let listener = unsafe { OwnedFd::from_raw_fd(listener) };
        let result = send(notifier, &listener, message);
        drop(listener);
        let errno = result.err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
        self.sent.store(errno, Ordering::Release);
    }
}

fn send(notifier: &Notifier, listener: &OwnedFd, message: &[u8]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let sent = sendmsg(&notifier.socket, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL)?;
    match message.get(sent..) {
        Some([]) => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}
