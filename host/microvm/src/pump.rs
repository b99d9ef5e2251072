//! Between the agent and the program's streams on the host.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use agent_proto::{Decoder, MAX_DATA, MessageError, Output, ToGuest, ToHost, WINDOW};
use plan::{ExitStatus, Stdio};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::error::{Error, ProtocolError};

/// Above this many unsent bytes nothing is added for the guest but what the user asks for: a guest that does not read cannot
/// make the host buffer.
const MAX_OUTBOX: usize = 4 * MAX_DATA;

/// How much is read from the agent before the other side gets its turn.
const READS_PER_TURN: usize = 16;

/// What the agent reported, other than data.
#[derive(Debug)]
pub(crate) enum Event {
    Hello { version: u32 },
    Started,
    Failed(agent_proto::StartFailure),
    Exited(ExitStatus),
}

/// One of the program's output streams on the host.
struct Sink {
    /// `None` when nobody reads it any more.
    fd: Option<OwnedFd>,
    /// Received, not yet written: never more than [`WINDOW`].
    pending: VecDeque<u8>,
    /// Bytes whose credit has not been given back yet.
    owed: usize,
}

/// The channel and the streams.
pub(crate) struct Pump {
    /// `None` when the virtual machine has closed it.
    agent: Option<OwnedFd>,
    decoder: Decoder,
    outbox: Vec<u8>,
    input: Option<OwnedFd>,
    input_credit: usize,
    sinks: [Sink; 2],
}

impl Pump {
    /// Takes over the streams and makes all descriptors non-blocking.
    pub(crate) fn new(agent: OwnedFd, io: Stdio) -> Result<Self, Error> {
        for fd in [&agent, &io.stdin, &io.stdout, &io.stderr] {
            rustix::io::ioctl_fionbio(fd, true).map_err(Error::system("making a stream non-blocking"))?;
        }
        let sink = |fd| Sink { fd: Some(fd), pending: VecDeque::new(), owed: 0 };
        Ok(Self {
            agent: Some(agent),
            decoder: Decoder::default(),
            outbox: Vec::new(),
            input: Some(io.stdin),
            input_credit: WINDOW,
            sinks: [sink(io.stdout), sink(io.stderr)],
        })
    }

    /// Queues a message for the agent.
    pub(crate) fn send(&mut self, message: &ToGuest) {
        message.encode(&mut self.outbox);
    }

    /// What to wait for. Standard input is left alone until the program runs.
    pub(crate) fn poll_fds(&self, running: bool) -> Vec<PollFd<'_>> {
        let mut fds = Vec::with_capacity(4);
        if let Some(agent) = &self.agent {
            let writing = if self.outbox.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            fds.push(PollFd::new(agent, PollFlags::IN | writing));
        }
        if let (true, Some(input)) = (running && self.wants_input(), &self.input) {
            fds.push(PollFd::new(input, PollFlags::IN));
        }
        let full = self.sinks.iter().filter(|sink| !sink.pending.is_empty());
        fds.extend(full.filter_map(|sink| sink.fd.as_ref()).map(|fd| PollFd::new(fd, PollFlags::OUT)));
        fds
    }

    fn wants_input(&self) -> bool {
        self.agent.is_some() && self.input_credit > 0 && self.outbox.len() < MAX_OUTBOX
    }

    /// All output has been passed on.
    pub(crate) fn is_flushed(&self) -> bool {
        self.sinks.iter().all(|sink| sink.pending.is_empty())
    }

    /// Does what can be done without waiting; stops at the first event.
    pub(crate) fn turn(&mut self, running: bool) -> Result<Option<Event>, Error> {
        let event = self.receive()?;
        for stream in Output::ALL {
            self.write_out(stream);
        }
        if running {
            self.read_input();
        }
        self.give_credit();
        self.write_agent();
        Ok(event)
    }

    fn receive(&mut self) -> Result<Option<Event>, Error> {
        let mut buffer = [0; MAX_DATA];
        for _ in 0..READS_PER_TURN {
            while let Some(frame) = self.decoder.next_frame().map_err(MessageError::from).map_err(protocol)? {
                let message = ToHost::decode(frame).map_err(protocol)?;
                if let Some(event) = self.accept(message).map_err(Error::Protocol)? {
                    return Ok(Some(event));
                }
            }
            let Some(agent) = &self.agent else { return Ok(None) };
            match rustix::io::read(agent, &mut buffer) {
                Ok(0) => self.agent = None,
                Ok(count) => self.decoder.push(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(_) => self.agent = None,
            }
        }
        Ok(None)
    }

    fn accept(&mut self, message: ToHost) -> Result<Option<Event>, ProtocolError> {
        match message {
            ToHost::Hello(hello) => Ok(Some(Event::Hello { version: hello.version })),
            ToHost::Started => Ok(Some(Event::Started)),
            ToHost::Failed(failure) => Ok(Some(Event::Failed(failure))),
            ToHost::Exited(status) => match ExitStatus::from_wait_status(status) {
                Some(status) => Ok(Some(Event::Exited(status))),
                None => Err(ProtocolError::Status(status)),
            },
            ToHost::Credit(count) => {
                self.input_credit = self.input_credit.saturating_add(count as usize);
                if self.input_credit > WINDOW { Err(ProtocolError::Credit) } else { Ok(None) }
            }
            ToHost::Output(stream, bytes) => self.take_output(stream, &bytes).map(|()| None),
        }
    }

    fn take_output(&mut self, stream: Output, bytes: &[u8]) -> Result<(), ProtocolError> {
        let sink = &mut self.sinks[stream as usize];
        if sink.pending.len() + sink.owed + bytes.len() > WINDOW {
            return Err(ProtocolError::Credit);
        }
        if sink.fd.is_some() {
            sink.pending.extend(bytes);
            self.write_out(stream);
        } else {
            sink.owed += bytes.len();
        }
        Ok(())
    }

    fn write_out(&mut self, stream: Output) {
        let sink = &mut self.sinks[stream as usize];
        while let (Some(fd), false) = (&sink.fd, sink.pending.is_empty()) {
            let (front, _) = sink.pending.as_slices();
            match rustix::io::write(fd, front) {
                Ok(count) => {
                    sink.pending.drain(..count);
                    sink.owed += count;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => {
                    // Nobody reads it: the program is to learn that by SIGPIPE.
                    sink.owed += sink.pending.len();
                    sink.pending.clear();
                    sink.fd = None;
                    ToGuest::Close(stream).encode(&mut self.outbox);
                }
            }
        }
    }

    fn read_input(&mut self) {
        let mut buffer = [0; MAX_DATA];
        while let (true, Some(input)) = (self.wants_input(), &self.input) {
            let room = self.input_credit.min(buffer.len());
            match rustix::io::read(input, &mut buffer[..room]) {
                Ok(count) if count > 0 => {
                    self.input_credit -= count;
                    self.send(&ToGuest::Stdin(buffer[..count].to_vec()));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Ok(_) | Err(_) => {
                    self.input = None;
                    self.send(&ToGuest::StdinEnd);
                }
            }
        }
    }

    fn give_credit(&mut self) {
        for stream in Output::ALL {
            let owed = &mut self.sinks[stream as usize].owed;
            if *owed > 0 && self.outbox.len() < MAX_OUTBOX {
                // At most WINDOW, which fits.
                ToGuest::Credit(stream, *owed as u32).encode(&mut self.outbox);
                *owed = 0;
            }
        }
    }

    fn write_agent(&mut self) {
        while let (Some(agent), false) = (&self.agent, self.outbox.is_empty()) {
            match rustix::io::write(agent, &self.outbox) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.agent = None,
            }
        }
        if self.agent.is_none() {
            self.outbox.clear();
        }
    }
}

fn protocol(error: MessageError) -> Error {
    Error::Protocol(error.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use agent_proto::RawFrame;

    use super::*;

    /// The pump, the agent's end of the channel, and our ends of the three streams.
    fn pump() -> (Pump, UnixStream, [UnixStream; 3]) {
        let pair = || UnixStream::pair().unwrap();
        let ((agent, guest), (stdin, to), (stdout, out), (stderr, err)) = (pair(), pair(), pair(), pair());
        let io = Stdio { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        (Pump::new(agent.into(), io).unwrap(), guest, [to, out, err])
    }

    fn say(guest: &mut UnixStream, message: &ToHost) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        guest.write_all(&bytes).unwrap();
    }

    fn heard(guest: &mut UnixStream) -> Vec<ToGuest> {
        guest.set_nonblocking(true).unwrap();
        let (mut bytes, mut decoder, mut messages) = (Vec::new(), Decoder::default(), Vec::new());
        let _ = guest.read_to_end(&mut bytes);
        decoder.push(&bytes);
        while let Some(frame) = decoder.next_frame().unwrap() {
            messages.push(ToGuest::decode(frame).unwrap());
        }
        messages
    }

    #[test]
    fn output_is_passed_on_and_credited() {
        let (mut pump, mut guest, [_to, mut out, mut err]) = pump();
        say(&mut guest, &ToHost::Output(Output::Stdout, b"out\0".to_vec()));
        say(&mut guest, &ToHost::Output(Output::Stderr, b"err".to_vec()));
        say(&mut guest, &ToHost::Exited(0x300));
        assert!(matches!(pump.turn(false).unwrap(), Some(Event::Exited(ExitStatus::Exited(3)))));
        let mut buffer = [0; 4];
        out.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"out\0");
        err.read_exact(&mut buffer[..3]).unwrap();
        assert_eq!(&buffer[..3], b"err");
        assert_eq!(heard(&mut guest), [ToGuest::Credit(Output::Stdout, 4), ToGuest::Credit(Output::Stderr, 3)]);
    }

    #[test]
    fn a_guest_that_floods_is_stopped() {
        let (mut pump, _guest, _streams) = pump();
        pump.sinks[0].pending.extend(std::iter::repeat_n(0, WINDOW));
        assert!(matches!(pump.take_output(Output::Stdout, b"x"), Err(ProtocolError::Credit)));
        assert!(pump.take_output(Output::Stderr, b"x").is_ok());
        assert!(matches!(pump.accept(ToHost::Credit(1)), Err(ProtocolError::Credit)));
    }

    #[test]
    fn a_guest_that_never_reads_cannot_make_us_buffer() {
        let (mut pump, mut guest, [mut to, _out, _err]) = pump();
        to.set_nonblocking(true).unwrap();
        for _ in 0..1000 {
            let _ = to.write(&[0; 4096]);
            say(&mut guest, &ToHost::Output(Output::Stdout, vec![1]));
            pump.turn(true).unwrap();
        }
        assert!(pump.outbox.len() <= MAX_OUTBOX + 2 * MAX_DATA, "{}", pump.outbox.len());
    }

    #[test]
    fn a_closed_reader_is_told_to_the_guest() {
        let (mut pump, mut guest, [_to, out, _err]) = pump();
        drop(out);
        say(&mut guest, &ToHost::Output(Output::Stdout, b"abc".to_vec()));
        pump.turn(false).unwrap();
        assert_eq!(heard(&mut guest), [ToGuest::Close(Output::Stdout), ToGuest::Credit(Output::Stdout, 3)]);
        assert!(pump.is_flushed());
    }

    #[test]
    fn input_is_sent_once_the_program_runs() {
        let (mut pump, mut guest, [mut to, ..]) = pump();
        to.write_all(b"hello").unwrap();
        drop(to);
        pump.turn(false).unwrap();
        assert_eq!(heard(&mut guest), []);
        pump.turn(true).unwrap();
        assert_eq!(heard(&mut guest), [ToGuest::Stdin(b"hello".to_vec()), ToGuest::StdinEnd]);
    }

    #[test]
    fn nonsense_is_a_protocol_error() {
        let (mut pump, mut guest, _streams) = pump();
        guest.write_all(&[0xff; 64]).unwrap();
        assert!(matches!(pump.turn(true), Err(Error::Protocol(_))));
        assert!(ToHost::decode(RawFrame { kind: 1, payload: b"" }).is_err());
    }
}
