//! The program's standard streams, our side: pipes, or one terminal.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

use agent_proto::{Output, Program, Terminal, WINDOW};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::error::Error;
use crate::process::{self, ChildStreams};

/// Ctrl-D, the default `VEOF` of termios(3): how a terminal says that input has ended.
const END_OF_TRANSMISSION: u8 = 4;

/// A stream that the program writes.
pub(crate) struct Source {
    pub(crate) fd: OwnedFd,
    /// How many bytes the host accepts now.
    pub(crate) credit: usize,
}

/// The stream that the program reads.
pub(crate) struct Sink {
    fd: OwnedFd,
    pending: VecDeque<u8>,
    ended: bool,
}

/// All of them. Closed ones are `None`.
pub(crate) struct Streams {
    pub(crate) sources: [Option<Source>; 2],
    pub(crate) sink: Option<Sink>,
    /// The program's side of the terminal. As long as somebody holds it, reading our side does not fail with `EIO`,
    /// even if the program closes all of its descriptors for a moment.
    terminal: Option<OwnedFd>,
}

impl Streams {
    /// Opens pipes or a terminal; the second value is for the program.
    pub(crate) fn open(program: &Program) -> Result<(Self, ChildStreams), Error> {
        match program.terminal {
            Some(size) => Self::open_terminal(program, size),
            None => Self::open_pipes(program).map_err(Error::system("making pipes")),
        }
    }

    fn open_pipes(program: &Program) -> rustix::io::Result<(Self, ChildStreams)> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC);
        let ((stdin, to), (from, stdout), (from_error, stderr)) = (pipe()?, pipe()?, pipe()?);
        for fd in [&to, &from, &from_error] {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        // /proc/self/fd/N of these must open for the program's user, too.
        for fd in [&stdin, &stdout, &stderr] {
            let (uid, gid) = (rustix::fs::Uid::from_raw(program.uid), rustix::fs::Gid::from_raw(program.gid));
            rustix::fs::fchown(fd, Some(uid), Some(gid))?;
        }
        let sources = [from, from_error].map(|fd| Some(Source { fd, credit: WINDOW }));
        let sink = Some(Sink { fd: to, pending: VecDeque::new(), ended: false });
        let child = ChildStreams { stdin, stdout, stderr, terminal: false };
        Ok((Self { sources, sink, terminal: None }, child))
    }

    fn open_terminal(program: &Program, size: Terminal) -> Result<(Self, ChildStreams), Error> {
        let (ours, theirs) = open_pty(size).map_err(Error::system("making a terminal"))?;
        process::give_terminal(&theirs, program)?;
        let again = |fd: &OwnedFd| fd.try_clone().map_err(Error::io("duplicating a terminal"));
        let child =
            ChildStreams { stdin: again(&theirs)?, stdout: again(&theirs)?, stderr: again(&theirs)?, terminal: true };
        let sink = Some(Sink { fd: again(&ours)?, pending: VecDeque::new(), ended: false });
        let sources = [Some(Source { fd: ours, credit: WINDOW }), None];
        Ok((Self { sources, sink, terminal: Some(theirs) }, child))
    }

    /// The program has ended: what is written now is all that there is.
    pub(crate) fn finish(&mut self) {
        self.terminal = None;
        self.sink = None;
    }

    /// Nobody reads this stream any more. A terminal stays: closing it would hang up the program.
    pub(crate) fn close(&mut self, stream: Output) {
        if self.terminal.is_none() {
            self.sources[stream as usize] = None;
        }
    }

    /// Gives the terminal a new size; the kernel sends `SIGWINCH`.
    pub(crate) fn resize(&self, cols: u16, rows: u16) {
        if let Some(terminal) = &self.terminal {
            let _ = tcsetwinsize(terminal, winsize(Terminal { cols, rows }));
        }
    }

    /// Reads what the program wrote, at most as much as `buffer` and the stream's credit hold. `None` if there is nothing.
    pub(crate) fn read(&mut self, stream: Output, buffer: &mut [u8]) -> Option<usize> {
        let source = self.sources[stream as usize].as_mut()?;
        let room = source.credit.min(buffer.len());
        match rustix::io::read(&source.fd, &mut buffer[..room]) {
            Ok(count) if count > 0 => {
                source.credit -= count;
                Some(count)
            }
            Err(Errno::AGAIN | Errno::INTR) => None,
            // The end: no writer is left; a terminal says so with EIO.
            Ok(_) | Err(_) => {
                self.sources[stream as usize] = None;
                None
            }
        }
    }

    /// Takes bytes for standard input. What nobody will read is dropped.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if let Some(sink) = &mut self.sink {
            sink.pending.extend(bytes);
        }
    }

    /// Standard input ends after what was fed.
    pub(crate) fn end_input(&mut self) {
        let terminal = self.terminal.is_some();
        if let Some(sink) = &mut self.sink {
            if terminal {
                sink.pending.push_back(END_OF_TRANSMISSION);
            } else {
                sink.ended = true;
            }
        }
        self.write_input();
    }

    /// Writes pending input as far as the program takes it; returns the number of bytes that are done with.
    pub(crate) fn write_input(&mut self) -> usize {
        let Some(sink) = &mut self.sink else { return 0 };
        let mut done = 0;
        while !sink.pending.is_empty() {
            let (front, _) = sink.pending.as_slices();
            match rustix::io::write(&sink.fd, front) {
                Ok(count) => {
                    sink.pending.drain(..count);
                    done += count;
                }
                Err(Errno::AGAIN) => return done,
                Err(Errno::INTR) => {}
                Err(_) => {
                    done += sink.pending.len();
                    self.sink = None;
                    return done;
                }
            }
        }
        if sink.ended {
            self.sink = None;
        }
        done
    }
}

impl Sink {
    /// The descriptor, if there is something to write to it.
    pub(crate) fn wants_write(&self) -> Option<&OwnedFd> {
        (!self.pending.is_empty()).then_some(&self.fd)
    }
}

fn open_pty(size: Terminal) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let theirs = ioctl_tiocgptpeer(ours.as_fd(), flags)?;
    tcsetwinsize(&theirs, winsize(size))?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

const fn winsize(size: Terminal) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn drain(streams: &mut Streams, stream: Output) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 100]);
        while let Some(count) = streams.read(stream, &mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        all
    }

    #[test]
    fn output_stops_when_credit_is_used_up() {
        let (mut streams, child) = Streams::open_pipes(&Program::default()).unwrap();
        streams.sources[0].as_mut().unwrap().credit = 3;
        rustix::io::write(&child.stdout, b"hello").unwrap();
        let mut buffer = [0; 100];
        assert_eq!(streams.read(Output::Stdout, &mut buffer), Some(3));
        assert_eq!(streams.sources[0].as_ref().unwrap().credit, 0);
        streams.sources[0].as_mut().unwrap().credit = 10;
        assert_eq!(drain(&mut streams, Output::Stdout), b"lo");
        drop(child);
        assert_eq!(drain(&mut streams, Output::Stdout), b"");
        assert!(streams.sources[0].is_none(), "the end is noticed");
    }

    #[test]
    fn input_ends_after_what_was_fed() {
        let (mut streams, child) = Streams::open_pipes(&Program::default()).unwrap();
        streams.feed(b"abc");
        streams.end_input();
        let mut buffer = [0; 10];
        assert_eq!(rustix::io::read(&child.stdin, &mut buffer).unwrap(), 3);
        assert_eq!(rustix::io::read(&child.stdin, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_terminal_has_a_size_and_echoes() {
        let size = Terminal { cols: 91, rows: 17 };
        let (mut streams, child) = Streams::open_terminal(&Program::default(), size).unwrap();
        let seen = rustix::termios::tcgetwinsize(&child.stdout).unwrap();
        assert_eq!((seen.ws_col, seen.ws_row), (91, 17));
        streams.feed(b"hi\n");
        assert_eq!(streams.write_input(), 3);
        // The kernel passes terminal output on from a worker.
        let mut echo = Vec::new();
        while echo.len() < 4 {
            let source = streams.sources[0].as_ref().unwrap();
            let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
            assert_eq!(poll(&mut [PollFd::new(&source.fd, PollFlags::IN)], Some(&timeout)), Ok(1));
            echo.extend(drain(&mut streams, Output::Stdout));
        }
        assert_eq!(echo, b"hi\r\n");
    }
}
