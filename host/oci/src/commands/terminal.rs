//! Terminals and descriptors that are handed over: console sockets, pid files, raw mode.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::error::Error;

/// Connects to a socket that somebody listens on.
pub(crate) fn connect(path: &Path) -> Result<OwnedFd, Error> {
    let error = Error::file("connect to the socket", path);
    let connected = (|| {
        let address = SocketAddrUnix::new(path)?;
        let kind = SocketType::STREAM;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        rustix::net::connect(&socket, &address)?;
        Ok(socket)
    })();
    connected.map_err(error)
}

/// A connected pair of sockets, for a terminal that this process keeps.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), Error> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(Error::system("make a pair of sockets"))
}

/// Receives the terminal's manager side (`SCM_RIGHTS`).
pub(crate) fn receive(socket: &OwnedFd) -> Result<OwnedFd, Error> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0u8; 4096];
    let mut slices = [IoSliceMut::new(&mut name)];
    rustix::io::retry_on_intr(|| rustix::net::recvmsg(socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC))
        .map_err(Error::system("receive the container's terminal"))?;
    let sent = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    sent.ok_or(rustix::io::Errno::BADMSG).map_err(Error::system("receive the container's terminal"))
}

/// Tells who wants to know which process was made: in a file, atomically, since somebody may watch it, and as a pidfd.
pub(crate) fn announce(
    pid: i32,
    pidfd: BorrowedFd<'_>,
    pid_file: Option<&Path>,
    pidfd_socket: Option<&Path>,
) -> Result<(), Error> {
    if let Some(path) = pid_file {
        write_pid(path, pid).map_err(Error::file("write the pid file", path))?;
    }
    if let Some(path) = pidfd_socket {
        send(&connect(path)?, pidfd, b"pidfd").map_err(Error::file("send the pidfd to", path))?;
    }
    Ok(())
}

fn write_pid(path: &Path, pid: i32) -> rustix::io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{pid}.new"));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::open(&new, flags, Mode::from_raw_mode(0o644))?;
    let written = rustix::io::write(&file, pid.to_string().as_bytes());
    let renamed = written.and_then(|_| rustix::fs::renameat(CWD, &new, CWD, path));
    renamed.inspect_err(|_| {
        let _ = rustix::fs::unlink(&new);
    })
}

/// Sends a descriptor (`SCM_RIGHTS`) with a text beside it.
pub(crate) fn send(socket: &OwnedFd, fd: BorrowedFd<'_>, text: &[u8]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(socket, &[IoSlice::new(text)], &mut ancillary, SendFlags::NOSIGNAL).map(|_| ())
}

/// The caller's terminal in raw mode, until this is dropped.
#[derive(Debug)]
pub(crate) struct Raw(Termios);

impl Raw {
    /// None if standard input is no terminal.
    pub(crate) fn enter() -> Option<Self> {
        let stdin = rustix::stdio::stdin();
        if !isatty(stdin) {
            return None;
        }
        let before = tcgetattr(stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Gives the container's terminal the size of the caller's.
pub(crate) fn copy_size(manager: &OwnedFd) {
    let own = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    if let Some(size) = own.iter().find_map(|fd| tcgetwinsize(fd).ok()) {
        let _ = tcsetwinsize(manager.as_fd(), size);
    }
}
