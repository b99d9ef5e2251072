//! The program's streams, as the supervisor holds them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use plan::Stdio;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::Error;

/// The supervisor's ends of the program's standard streams.
#[derive(Debug)]
pub(crate) struct Output {
    /// Readable ends, with the stream that each is (0 or 1).
    readers: Vec<(OwnedFd, usize)>,
    stdin: Option<OwnedFd>,
    pending_stdin: Vec<u8>,
    stdin_ends: bool,
    terminal: bool,
}

/// What the program gets, and what the supervisor keeps.
pub(crate) fn open_streams(terminal: bool, interactive: bool) -> Result<(Stdio, Output), Error> {
    let system = |what| move |errno: Errno| Error::System(what, errno.into());
    if terminal {
        return open_terminal().map_err(system("opening a pseudo-terminal; is /dev/ptmx there?"));
    }
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(system("making a pipe"));
    let (stdin, keep) = if interactive {
        let (read, write) = pipe()?;
        (read, Some(write))
    } else {
        (open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(system("opening /dev/null"))?, None)
    };
    let (out_read, out_write) = pipe()?;
    let (err_read, err_write) = pipe()?;
    for fd in [Some(&out_read), Some(&err_read), keep.as_ref()].into_iter().flatten() {
        rustix::io::ioctl_fionbio(fd, true).map_err(system("preparing a pipe"))?;
    }
    let stdio = Stdio { stdin, stdout: out_write, stderr: err_write };
    let readers = vec![(out_read, 0), (err_read, 1)];
    Ok((stdio, Output { readers, stdin: keep, pending_stdin: Vec::new(), stdin_ends: false, terminal: false }))
}

fn open_terminal() -> Result<(Stdio, Output), Errno> {
    let manager = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&manager)?;
    unlockpt(&manager)?;
    let peer = ioctl_tiocgptpeer(&manager, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    let copy = || rustix::io::fcntl_dupfd_cloexec(&peer, 3);
    let stdio = Stdio { stdin: copy()?, stdout: copy()?, stderr: copy()? };
    Ok((stdio, Output::of_terminal(manager)?))
}

/// A socket over which a container sends the manager's side of a terminal of its own, and our end of it.
pub(crate) fn console_socket() -> Result<(OwnedFd, Console), Error> {
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.map_err(|errno| Error::System("making a socket pair", errno.into()))?;
    Ok((theirs, Console(ours)))
}

/// Our end.
pub(crate) struct Console(OwnedFd);

impl Console {
    /// The terminal, which was sent before the program was started.
    pub(crate) fn receive(self) -> Result<Output, Error> {
        let system = |errno: Errno| Error::System("receiving the container's terminal", errno.into());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut name = [0u8; 256];
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        recvmsg(&self.0, &mut [io::IoSliceMut::new(&mut name)], &mut ancillary, flags).map_err(system)?;
        let mut messages = ancillary.drain();
        let manager = messages.find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Output::of_terminal(manager.ok_or_else(|| system(Errno::NOMSG))?).map_err(system)
    }
}

impl Output {
    fn of_terminal(manager: OwnedFd) -> Result<Self, Errno> {
        rustix::io::ioctl_fionbio(&manager, true)?;
        let write = rustix::io::fcntl_dupfd_cloexec(&manager, 3)?;
        let readers = vec![(manager, 0)];
        Ok(Self { readers, stdin: Some(write), pending_stdin: Vec::new(), stdin_ends: false, terminal: true })
    }

    /// What to poll for reading.
    pub(crate) fn readers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.readers.iter().map(|(fd, _)| fd.as_fd())
    }

    /// What to poll for writing, if input waits.
    pub(crate) fn writer(&self) -> Option<BorrowedFd<'_>> {
        if self.pending_stdin.is_empty() { None } else { self.stdin.as_ref().map(AsFd::as_fd) }
    }

    /// Whether more input may be queued.
    pub(crate) fn takes_input(&self) -> bool {
        self.pending_stdin.len() < 256 * 1024
    }

    /// Reads what is there and hands it on, at most a few buffers so that one flooding program starves no command.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(usize, &[u8])) {
        let mut buffer = [0u8; 32 * 1024];
        self.readers.retain(|(fd, stream)| {
            for _ in 0..4 {
                match rustix::io::read(fd, &mut buffer) {
                    Ok(0) => return false,
                    Ok(n) => take(*stream, &buffer[..n]),
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => return true,
                    // A terminal whose last user is gone reads as EIO.
                    Err(_) => return false,
                }
            }
            true
        });
    }

    /// Queues input for the program; what cannot be written to a program that closed its input is dropped.
    pub(crate) fn input(&mut self, data: &[u8]) {
        if self.stdin.is_some() {
            self.pending_stdin.extend_from_slice(data);
            self.flush_input();
        }
    }

    /// No more input will come. A terminal stays open: its end of input is a character.
    pub(crate) fn input_end(&mut self) {
        self.stdin_ends = !self.terminal;
        self.flush_input();
    }

    /// Writes what can be written now.
    pub(crate) fn flush_input(&mut self) {
        let Some(fd) = &self.stdin else { return };
        while !self.pending_stdin.is_empty() {
            match rustix::io::write(fd, &self.pending_stdin) {
                Ok(n) => drop(self.pending_stdin.drain(..n)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => {
                    self.pending_stdin.clear();
                    self.stdin = None;
                    return;
                }
            }
        }
        if self.stdin_ends {
            self.stdin = None;
        }
    }

    /// Sets the terminal's size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        if self.terminal
            && let Some((manager, _)) = self.readers.first()
        {
            let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
            let _ = tcsetwinsize(manager, size);
        }
    }
}
