//! The start of a container that another process has created: its first process waits at a socket.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::Error;
use crate::message;

/// The socket's name in the state directory.
const NAME: &str = "start";

/// Lets the program of a created container start, and returns when it was executed.
///
/// `state_dir` is that of [`Options`](crate::Options).
///
/// # Errors
/// [`Error::StartSocket`] if nobody waits there, and what [`Created::start`](crate::Created::start) tells.
pub fn start(state_dir: &Path) -> Result<(), Error> {
    let socket = connect(state_dir).map_err(|source| Error::StartSocket { path: state_dir.join(NAME), source })?;
    message::send_go(&socket)?;
    message::receive(&socket)
}

fn connect(state_dir: &Path) -> io::Result<OwnedFd> {
    let socket = new_socket()?;
    with_address(state_dir, |address| rustix::net::connect(&socket, address))?;
    Ok(socket)
}

/// Makes the socket at which the first process will wait.
pub(crate) fn listen(state_dir: &Path) -> Result<OwnedFd, Error> {
    let listen = || {
        let socket = new_socket()?;
        with_address(state_dir, |address| rustix::net::bind(&socket, address))?;
        rustix::net::listen(&socket, 1)?;
        Ok(socket)
    };
    listen().map_err(|source| Error::StartSocket { path: state_dir.join(NAME), source })
}

fn new_socket() -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// A path that is too long for an address (unix(7): 108 bytes) is shortened by way of a descriptor.
fn with_address<T>(
    state_dir: &Path,
    call: impl FnOnce(&SocketAddrUnix) -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    if let Ok(address) = SocketAddrUnix::new(state_dir.join(NAME)) {
        return call(&address);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(state_dir, flags, Mode::empty())?;
    call(&SocketAddrUnix::new(format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()))?)
}

/// Waits for somebody who starts the program; who goes away without saying so does not.
pub(crate) fn accept(listener: OwnedFd) -> io::Result<OwnedFd> {
    loop {
        let socket = rustix::io::retry_on_intr(|| rustix::net::accept_with(&listener, SocketFlags::CLOEXEC))?;
        if matches!(message::wait_go(&socket), Ok(true)) {
            return Ok(socket);
        }
    }
}
