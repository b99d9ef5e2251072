//! A terminal of the command's own, passed on to a program that has no supervisor (`coracle exec -t`).

use plan::ExitStatus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcgetwinsize;

use super::client::{Terminal, write_all};
use super::detach::{DetachKeys, Detector};
use super::output::Output;
use crate::Error;
use crate::sys::SignalFd;

/// How it ended.
pub(crate) enum Relayed {
    /// The program has ended.
    Ended(ExitStatus),
    /// The program goes on; its terminal must stay open.
    Detached(Output),
}

/// Passes bytes between the command's standard streams and a pseudo-terminal.
pub(crate) struct Relay {
    output: Output,
    signals: SignalFd,
    stdin: bool,
    detector: Detector,
    _raw: Option<Terminal>,
}

impl Relay {
    /// Puts the command's terminal into raw mode and gives the program its size.
    pub(crate) fn new(output: Output, interactive: bool, keys: &DetachKeys) -> Result<Self, Error> {
        let signals = SignalFd::new(&[libc::SIGWINCH]).map_err(|e| Error::System("preparing for signals", e))?;
        let (detector, _raw) = (Detector::new(keys), Terminal::raw());
        let relay = Self { output, signals, stdin: interactive, detector, _raw };
        relay.resize();
        Ok(relay)
    }

    /// Runs until `ended` gives a status, or the detach keys are typed: then the terminal is the caller's to keep open.
    pub(crate) fn run(
        mut self,
        mut ended: impl FnMut() -> Result<Option<ExitStatus>, Error>,
    ) -> Result<Relayed, Error> {
        loop {
            let stdin_ready = self.wait();
            while self.signals.next().is_some() {
                self.resize();
            }
            if stdin_ready && self.pass_stdin() {
                return Ok(Relayed::Detached(self.output));
            }
            self.output.flush_input();
            self.output.drain(|_, data| write_all(rustix::stdio::stdout(), data));
            if let Some(status) = ended()? {
                self.output.drain(|_, data| write_all(rustix::stdio::stdout(), data));
                return Ok(Relayed::Ended(status));
            }
        }
    }

    /// Whether standard input has something. Wakes every 50 ms to look for the program's end, which closes no descriptor of
    /// ours if it left a child behind that holds the terminal.
    fn wait(&self) -> bool {
        let stdin = rustix::stdio::stdin();
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        let reads_stdin = self.stdin && self.output.takes_input();
        if reads_stdin {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        fds.extend(self.output.readers().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.output.writer().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 }));
        reads_stdin && !fds[1].revents().is_empty()
    }

    /// Whether the detach keys were typed.
    fn pass_stdin(&mut self) -> bool {
        let mut buffer = [0u8; 16 * 1024];
        match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
            Ok(0) => self.stdin = false,
            Ok(n) => {
                let (data, detach) = self.detector.filter(&buffer[..n]);
                self.output.input(&data);
                return detach;
            }
            Err(_) => {}
        }
        false
    }

    fn resize(&self) {
        if let Ok(size) = tcgetwinsize(rustix::stdio::stdin()) {
            self.output.resize(size.ws_col, size.ws_row);
        }
    }
}
