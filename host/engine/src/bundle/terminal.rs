//! A terminal on the host whose manager's side goes to the caller (`--console-socket`).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use plan::Stdio;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pty::OpenptFlags;

/// Makes a terminal, sends its manager's side over a Unix socket (`SCM_RIGHTS`, unix(7)), and gives the other as the streams.
pub(super) fn open_and_send(socket: &OwnedFd) -> io::Result<Stdio> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let manager = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&manager)?;
    let terminal = rustix::pty::ioctl_tiocgptpeer(&manager, flags)?;
    send(socket, &manager)?;
    Ok(Stdio { stdin: terminal.try_clone()?, stdout: terminal.try_clone()?, stderr: terminal })
}

fn send(socket: &OwnedFd, manager: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [manager.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    // Who receives it shows this name in messages; runc sends the path of its multiplexer.
    rustix::net::sendmsg(socket, &[IoSlice::new(b"/dev/ptmx")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}
