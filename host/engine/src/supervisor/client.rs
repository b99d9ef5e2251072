//! The other end: a command that starts an instance, attaches to one, signals it or waits for it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use plan::ExitStatus;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen as listen_on, socket_with,
};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::channel::Channel;
use super::detach::{DetachKeys, Detector};
use super::frame::Frame;
use crate::Error;
use crate::sys::SignalFd;

const SOCKET: &str = "control";

/// An address of the control socket that fits `sun_path` (108 bytes, unix(7)) however deep the state directory lies.
fn address(dir: BorrowedFd<'_>) -> Result<SocketAddrUnix, Errno> {
    use std::os::fd::AsRawFd;
    SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()))
}

fn open_dir(dir: &Path) -> Result<OwnedFd, Errno> {
    open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn new_socket() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

/// Listens for commands in an instance's directory.
pub(super) fn listen(dir: &Path) -> Result<OwnedFd, Errno> {
    let dir = open_dir(dir)?;
    let socket = new_socket()?;
    let address = address(dir.as_fd())?;
    match bind(&socket, &address) {
        // The socket of a supervisor that is gone: this one holds the lock.
        Err(Errno::ADDRINUSE) => {
            rustix::fs::unlinkat(&dir, SOCKET, rustix::fs::AtFlags::empty())?;
            bind(&socket, &address)?;
        }
        bound => bound?,
    }
    listen_on(&socket, 64)?;
    Ok(socket)
}

/// What a command hears from a supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The program was started.
    Started,
    /// The program ended.
    Exited(ExitStatus),
}

/// A command's connection to a supervisor.
#[derive(Debug)]
pub(crate) struct Client {
    channel: Channel,
    queued: std::collections::VecDeque<Frame>,
    child: Option<i32>,
}

impl Client {
    /// The connection of the command that forked the supervisor.
    pub(super) fn of_child(socket: OwnedFd, pid: i32) -> Self {
        Self { channel: Channel::new(socket), queued: Default::default(), child: Some(pid) }
    }

    /// Connects to the supervisor of the instance with this directory.
    pub(crate) fn connect(dir: &Path) -> Result<Self, Error> {
        let attempt = || -> Result<OwnedFd, Errno> {
            let dir = open_dir(dir)?;
            let socket = new_socket()?;
            connect(&socket, &address(dir.as_fd())?)?;
            Ok(socket)
        };
        let socket = attempt().map_err(|e| Error::System("connecting to the instance's supervisor", e.into()))?;
        Ok(Self { channel: Channel::new(socket), queued: Default::default(), child: None })
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn request(&mut self, frame: &Frame) -> Result<(), Error> {
        self.send(frame)?;
        loop {
            match self.next()? {
                Frame::Done => return Ok(()),
                Frame::Refused(message) => return Err(Error::Invalid(message)),
                Frame::Exited(_) => return Ok(()),
                other => self.queued.push_back(other),
            }
        }
    }

    pub(crate) fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        self.channel.send(frame).map_err(|_| Error::SupervisorLost)
    }

    /// Waits until the program was started.
    pub(crate) fn started(&mut self) -> Result<(), Error> {
        match self.outcome()? {
            Outcome::Started | Outcome::Exited(_) => Ok(()),
        }
    }

    /// Waits until the program has ended.
    pub(crate) fn exited(&mut self) -> Result<ExitStatus, Error> {
        loop {
            if let Outcome::Exited(status) = self.outcome()? {
                return Ok(status);
            }
        }
    }

    fn outcome(&mut self) -> Result<Outcome, Error> {
        loop {
            match self.next()? {
                Frame::Started => return Ok(Outcome::Started),
                Frame::Exited(status) => return Ok(Outcome::Exited(status)),
                Frame::Failed(class, message) => return Err(self.failed(class, message)),
                Frame::Stderr(data) if self.child.is_some() => write_all(rustix::stdio::stderr(), &data),
                _ => {}
            }
        }
    }

    /// A supervisor that could not start its program is about to end; it has cleaned up when it has.
    fn failed(&self, class: u8, message: String) -> Error {
        if let Some(pid) = self.child.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        }
        Error::Start { class, message }
    }

    /// The next frame, waiting for it.
    fn next(&mut self) -> Result<Frame, Error> {
        loop {
            if let Some(frame) = self.queued.pop_front() {
                return Ok(frame);
            }
            let mut fds = [PollFd::new(&self.channel, PollFlags::IN)];
            let _ = poll(&mut fds, None);
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        let mut frames = Vec::new();
        let result = self.channel.receive(&mut frames);
        let nothing = frames.is_empty();
        self.queued.extend(frames);
        if nothing && result.is_err() { Err(Error::SupervisorLost) } else { Ok(()) }
    }

    /// Passes the command's standard streams, signals and window size on until the program has ended (its
    /// status), or the detach keys were typed (`None`).
    pub(crate) fn relay(&mut self, streams: &Streams) -> Result<Option<ExitStatus>, Error> {
        let _terminal = if streams.terminal { Terminal::raw() } else { None };
        let signals = streams.signals().map_err(|e| Error::System("preparing for signals", e))?;
        let mut detector = streams.terminal.then(|| Detector::new(&streams.detach_keys));
        let mut stdin = streams.interactive;
        if streams.terminal {
            self.send_size();
        }
        loop {
            while let Some(frame) = self.queued.pop_front() {
                match frame {
                    Frame::Stdout(data) => write_all(rustix::stdio::stdout(), &data),
                    Frame::Stderr(data) => write_all(rustix::stdio::stderr(), &data),
                    Frame::Exited(status) => return Ok(Some(status)),
                    Frame::Failed(class, message) => return Err(self.failed(class, message)),
                    _ => {}
                }
            }
            let mut fds = vec![PollFd::new(&self.channel, self.channel_events()), PollFd::new(&signals, PollFlags::IN)];
            let stdin_fd = rustix::stdio::stdin();
            // What the program does not read stays with its writer.
            let read_stdin = stdin && self.channel.backlog() < 64 * 1024;
            if read_stdin {
                fds.push(PollFd::new(&stdin_fd, PollFlags::IN));
            }
            let _ = poll(&mut fds, None);
            let stdin_ready = fds.get(2).is_some_and(|fd| !fd.revents().is_empty());
            drop(fds);
            let _ = self.channel.flush();
            while let Some(signal) = signals.next() {
                self.pass_on(signal);
            }
            if read_stdin && stdin_ready {
                match self.pass_stdin(detector.as_mut()) {
                    Input::More => {}
                    Input::End => stdin = false,
                    Input::Detach => return Ok(None),
                }
            }
            self.receive()?;
        }
    }

    fn channel_events(&self) -> PollFlags {
        let mut events = PollFlags::IN;
        events.set(PollFlags::OUT, self.channel.backlog() > 0);
        events
    }

    fn pass_on(&mut self, signal: i32) {
        if signal == libc::SIGWINCH {
            self.send_size();
        } else if let Ok(signal) = u8::try_from(signal) {
            let _ = self.channel.send(&Frame::Signal(signal));
        }
    }

    fn pass_stdin(&mut self, detector: Option<&mut Detector>) -> Input {
        let mut buffer = [0u8; 16 * 1024];
        let (data, detach) = match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
            Ok(0) => {
                let _ = self.channel.send(&Frame::StdinEnd);
                return Input::End;
            }
            Ok(n) => detector.map_or_else(|| (buffer[..n].to_vec(), false), |detector| detector.filter(&buffer[..n])),
            Err(Errno::INTR | Errno::AGAIN) => return Input::More,
            Err(_) => return Input::End,
        };
        if !data.is_empty() && self.channel.send(&Frame::Stdin(data)).is_err() {
            return Input::End;
        }
        if detach { Input::Detach } else { Input::More }
    }

    /// Makes a program that draws on its whole terminal draw for who comes in the middle: it redraws when the size changes.
    pub(crate) fn redraw(&mut self) {
        if let Ok(size) = tcgetwinsize(rustix::stdio::stdin()) {
            let _ = self.channel.send(&Frame::Resize(size.ws_col, size.ws_row.saturating_add(1)));
            self.send_size();
        }
    }

    fn send_size(&mut self) {
        if let Ok(size) = tcgetwinsize(rustix::stdio::stdin()) {
            let _ = self.channel.send(&Frame::Resize(size.ws_col, size.ws_row));
        }
    }
}

/// What came from standard input.
enum Input {
    More,
    End,
    Detach,
}

/// What of the command's surroundings an instance in the foreground gets.
#[derive(Debug, Clone)]
pub struct Streams {
    /// Pass standard input on.
    pub interactive: bool,
    /// The program has a terminal; put the command's own into raw mode.
    pub terminal: bool,
    /// With a terminal: what to type to leave the program.
    pub detach_keys: DetachKeys,
    /// Pass signals on to the program.
    pub signals: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self { interactive: false, terminal: false, detach_keys: DetachKeys::default(), signals: true }
    }
}

impl Streams {
    fn signals(&self) -> std::io::Result<SignalFd> {
        if !self.signals {
            return SignalFd::new(&[libc::SIGWINCH]);
        }
        SignalFd::new(&[
            libc::SIGINT,
            libc::SIGTERM,
            libc::SIGHUP,
            libc::SIGQUIT,
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGWINCH,
        ])
    }
}

/// The command's terminal in raw mode; as before when dropped.
#[derive(Debug)]
pub struct Terminal(Termios);

impl Terminal {
    /// Raw mode, if standard input is a terminal.
    pub fn raw() -> Option<Self> {
        let saved = tcgetattr(rustix::stdio::stdin()).ok()?;
        let mut raw = saved.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(saved))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Writes everything, also to a pipe that somebody made non-blocking. A reader that is gone is no reason to end the program.
pub(super) fn write_all(fd: BorrowedFd<'_>, mut data: &[u8]) {
    while !data.is_empty() {
        match rustix::io::write(fd, data) {
            Ok(n) => data = &data[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None);
            }
            Err(_) => return,
        }
    }
}
