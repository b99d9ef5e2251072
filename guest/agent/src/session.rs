//! The program runs: one loop between the host and the program.

use std::os::fd::OwnedFd;

use agent_proto::{MAX_DATA, Output, ToGuest, ToHost};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::channel::Channel;
use crate::error::Error;
use crate::streams::{Source, Streams};

/// Above this many unsent bytes the program's output is left in its pipes.
const MAX_BACKLOG: usize = 4 * MAX_DATA;

/// A started program.
pub(crate) struct Running {
    pub(crate) main: Pid,
    pub(crate) streams: Streams,
    /// The reaper's pipe.
    pub(crate) exits: OwnedFd,
    /// The host's files may have unwritten pages here.
    pub(crate) writable_volumes: bool,
}

/// The loop's state.
pub(crate) struct Session {
    channel: Channel,
    running: Running,
    exit: Option<i32>,
}

/// What poll(2) reported.
#[derive(Default)]
struct Ready {
    channel: bool,
    exits: bool,
}

impl Session {
    pub(crate) fn new(mut channel: Channel, running: Running) -> Self {
        channel.send(&ToHost::Started);
        Self { channel, running, exit: None }
    }

    /// Runs until the program has ended and all of its output is with the host.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        loop {
            let ready = self.wait()?;
            if ready.channel {
                self.channel.read_some()?;
                while let Some(message) = self.channel.next_message()? {
                    self.obey(message)?;
                }
            }
            if ready.exits {
                self.note_exit();
            }
            self.pass_input();
            self.pass_output();
            self.channel.write_some()?;
            if let Some(status) = self.exit
                && self.running.streams.sources.iter().all(Option::is_none)
            {
                return self.finish(status);
            }
        }
    }

    fn finish(mut self, status: i32) -> Result<(), Error> {
        if self.running.writable_volumes {
            rustix::fs::sync();
        }
        self.channel.send(&ToHost::Exited(status));
        self.channel.flush()
    }

    fn wait(&self) -> Result<Ready, Error> {
        let streams = &self.running.streams;
        let writing = if self.channel.backlog() > 0 { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = vec![PollFd::new(&self.channel, PollFlags::IN | writing)];
        if self.exit.is_none() {
            fds.push(PollFd::new(&self.running.exits, PollFlags::IN));
        }
        if self.channel.backlog() < MAX_BACKLOG {
            let readable = streams.sources.iter().flatten().filter(|source| source.credit > 0);
            fds.extend(readable.map(|Source { fd, .. }| PollFd::new(fd, PollFlags::IN)));
        }
        let sink = streams.sink.as_ref().and_then(|sink| sink.wants_write());
        fds.extend(sink.map(|fd| PollFd::new(fd, PollFlags::OUT)));
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(source) => return Err(Error::System { what: "waiting".into(), source }),
        }
        let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        let channel = fds[0].revents().intersects(readable);
        let exits = self.exit.is_none() && fds[1].revents().intersects(readable);
        Ok(Ready { channel, exits })
    }

    fn obey(&mut self, message: ToGuest) -> Result<(), Error> {
        let streams = &mut self.running.streams;
        match message {
            ToGuest::Start(_) => return Err(Error::OutOfOrder),
            ToGuest::Stdin(bytes) if streams.sink.is_some() => streams.feed(&bytes),
            ToGuest::Stdin(bytes) => self.channel.send(&ToHost::Credit(bytes.len() as u32)),
            ToGuest::StdinEnd => streams.end_input(),
            ToGuest::Credit(stream, count) => {
                if let Some(source) = &mut streams.sources[stream as usize] {
                    source.credit = source.credit.saturating_add(count as usize);
                }
            }
            ToGuest::Close(stream) => streams.close(stream),
            ToGuest::Resize(cols, rows) => streams.resize(cols, rows),
            ToGuest::Signal(number) => {
                if let (Some(signal), None) = (Signal::from_named_raw(number.into()), self.exit) {
                    // Its end has not been reported yet, so the number was this process's a moment ago; numbers are not
                    // reused that soon.
                    let _ = kill_process(self.running.main, signal);
                }
            }
        }
        Ok(())
    }

    /// Reads the main program's status. Whatever else it left running ends with it, as in a container.
    fn note_exit(&mut self) {
        let mut status = [0; 4];
        match rustix::io::read(&self.running.exits, &mut status) {
            Ok(4) => {
                self.exit = Some(i32::from_ne_bytes(status));
                // The "group" of process 1 is kill(-1): every process but ourselves.
                let _ = kill_process_group(Pid::INIT, Signal::KILL);
                self.running.streams.finish();
            }
            Err(Errno::INTR) => {}
            // The reaper ended without having seen the program end; cannot be, but must not hang.
            _ => self.exit = Some(Signal::KILL.as_raw()),
        }
    }

    fn pass_input(&mut self) {
        let done = self.running.streams.write_input();
        if done > 0 {
            self.channel.send(&ToHost::Credit(done as u32));
        }
    }

    fn pass_output(&mut self) {
        let mut buffer = [0; MAX_DATA];
        for stream in Output::ALL {
            while self.channel.backlog() < MAX_BACKLOG {
                let has_credit = self.running.streams.sources[stream as usize].as_ref().is_some_and(|s| s.credit > 0);
                if !has_credit {
                    break;
                }
                let Some(count) = self.running.streams.read(stream, &mut buffer) else { break };
                self.channel.send(&ToHost::Output(stream, buffer[..count].to_vec()));
            }
        }
    }
}
