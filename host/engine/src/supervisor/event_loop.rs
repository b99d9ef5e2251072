use std::os::fd::OwnedFd;

use network::{Network, Resolver};
use plan::ExitStatus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, acceptfrom_with};

use super::channel::Channel;
use super::client::listen;
use super::frame::{Frame, MAX_PAYLOAD};
use super::log::LogWriter;
use super::output::Output;
use super::serve::Started;
use crate::error::chain;
use crate::instance::{Instance, Lock, Status};
use crate::launch::{self, Running};
use crate::{Instances, Paths};

/// Output that an attached client has not read yet; beyond it the program's output waits.
const MAX_BACKLOG: usize = 1 << 20;

/// An instance without events for so long is not just starting or ending.
const QUIET: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// A command that talks with the supervisor.
struct Peer {
    channel: Channel,
    attached: bool,
    waiting: bool,
    gone: bool,
}

/// The state of a supervisor while its program runs.
pub(super) struct Supervisor<'a> {
    paths: &'a Paths,
    instance: Instance,
    running: Running,
    output: Output,
    log: LogWriter,
    listener: Option<OwnedFd>,
    resolver: Option<Resolver>,
    network: Option<Network>,
    peers: Vec<Peer>,
    /// Whether the memory that only the start needed was given back.
    settled: bool,
    // Held as long as this process lives: it is how others know that it does.
    _lock: Lock,
}

impl<'a> Supervisor<'a> {
    pub(super) fn new(paths: &'a Paths, instance: Instance, started: Started, caller: Channel) -> Self {
        let Started { launched, output, lock } = started;
        // Names are a convenience: an instance whose resolver cannot listen runs all the same.
        let resolver = launched.network.as_ref().and_then(|network| Resolver::bind(network).ok().flatten());
        Self {
            paths,
            log: LogWriter::new(instance.dir()),
            listener: listen(instance.dir()).ok(),
            instance,
            running: launched.running,
            output,
            resolver,
            network: launched.network,
            peers: vec![Peer { channel: caller, attached: true, waiting: true, gone: false }],
            settled: false,
            _lock: lock,
        }
    }

    /// Watches the program until it has ended, and cleans up.
    pub(super) fn run(&mut self) {
        let status = loop {
            match self.turn() {
                Ok(None) => {}
                Ok(Some(status)) => break Ok(status),
                Err(error) => break Err(error),
            }
        };
        self.finish(status);
    }

    /// Waits for something and deals with it.
    fn turn(&mut self) -> Result<Option<ExitStatus>, crate::Error> {
        self.wait();
        self.pump_output();
        self.output.flush_input();
        if let Some(resolver) = &mut self.resolver {
            resolver.handle_ready();
        }
        let status = self.running.handle_ready()?;
        self.accept();
        self.serve_peers();
        Ok(status)
    }

    fn wait(&mut self) {
        if !self.poll() && !self.settled {
            crate::memory::release();
            self.settled = true;
        }
    }

    /// Whether something happened; until the first quiet second, nothing happening ends the wait too.
    fn poll(&self) -> bool {
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(8);
        fds.extend(self.running.poll_fds());
        if self.may_read_output() {
            fds.extend(self.output.readers().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        }
        fds.extend(self.output.writer().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        fds.extend(self.listener.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(self.resolver.as_ref().map(|r| PollFd::from_borrowed_fd(r.fd(), PollFlags::IN)));
        for peer in &self.peers {
            let mut events = if self.output.takes_input() { PollFlags::IN } else { PollFlags::empty() };
            events.set(PollFlags::OUT, peer.channel.backlog() > 0);
            fds.push(PollFd::new(&peer.channel, events));
        }
        // Interrupted or not: everything is looked at without waiting.
        let limit = if self.settled { None } else { Some(&QUIET) };
        poll(&mut fds, limit) != Ok(0)
    }

    fn may_read_output(&self) -> bool {
        self.peers.iter().all(|peer| !peer.attached || peer.channel.backlog() < MAX_BACKLOG)
    }

    fn pump_output(&mut self) {
        if !self.may_read_output() {
            return;
        }
        let (log, peers) = (&mut self.log, &mut self.peers);
        self.output.drain(|stream, data| {
            log.write(stream, data);
            for piece in data.chunks(MAX_PAYLOAD) {
                let frame = if stream == 0 { Frame::Stdout(piece.to_vec()) } else { Frame::Stderr(piece.to_vec()) };
                for peer in peers.iter_mut().filter(|peer| peer.attached) {
                    peer.gone |= peer.channel.send(&frame).is_err();
                }
            }
        });
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        while let Ok((socket, _)) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            let channel = Channel::new(socket);
            self.peers.push(Peer { channel, attached: false, waiting: false, gone: false });
        }
    }

    fn serve_peers(&mut self) {
        for at in 0..self.peers.len() {
            let mut frames = Vec::new();
            let peer = &mut self.peers[at];
            peer.gone |= peer.channel.flush().is_err();
            peer.gone |= peer.channel.receive(&mut frames).is_err();
            for frame in frames {
                self.serve(at, frame);
            }
        }
        self.peers.retain(|peer| !peer.gone);
    }

    fn serve(&mut self, at: usize, frame: Frame) {
        let answer = match frame {
            Frame::Signal(signal) => match self.running.signal(i32::from(signal)) {
                Ok(()) => Some(Frame::Done),
                Err(error) => Some(Frame::Refused(chain(&error))),
            },
            Frame::Resize(columns, rows) => {
                self.output.resize(columns, rows);
                self.running.resize(columns, rows);
                None
            }
            Frame::Stdin(data) => {
                self.output.input(&data);
                None
            }
            Frame::StdinEnd => {
                self.output.input_end();
                None
            }
            Frame::Attach => {
                self.peers[at].attached = true;
                Some(Frame::Done)
            }
            Frame::Wait => {
                self.peers[at].waiting = true;
                None
            }
            _ => Some(Frame::Refused("not a request".to_owned())),
        };
        if let Some(answer) = answer {
            let peer = &mut self.peers[at];
            peer.gone |= peer.channel.send(&answer).is_err();
        }
    }

    /// Records the end, gives everything back, and tells those who wait: in this order, so that whoever is told finds it done.
    fn finish(&mut self, status: Result<ExitStatus, crate::Error>) {
        self.pump_output();
        self.log.finish();
        let (status, error) = match status {
            Ok(status) => (status, None),
            Err(error) => (ExitStatus::Exited(error.exit_code()), Some(chain(&error))),
        };
        let cleaned = launch::destroy_ended(self.network.as_ref(), &self.instance.plan);
        let record = &mut self.instance.record;
        record.status = Status::Exited;
        record.finished = Some(std::time::SystemTime::now());
        record.exit = Some(status);
        record.error = error.or_else(|| cleaned.err().map(|e| chain(&e)));
        if self.instance.plan.auto_remove {
            let _ = Instances::open(self.paths).remove(&self.instance.plan.id, Some(&self.instance.plan.name));
        } else {
            let _ = self.instance.save();
        }
        for peer in self.peers.iter_mut().filter(|peer| peer.waiting) {
            let _ = peer.channel.send(&Frame::Exited(status));
        }
        self.linger();
    }

    /// Clients that read slowly get their output, within limits.
    fn linger(&mut self) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            self.peers.retain_mut(|peer| peer.channel.flush().is_ok() && peer.channel.backlog() > 0);
            if self.peers.is_empty() || std::time::Instant::now() > deadline {
                return;
            }
            let mut fds: Vec<_> = self.peers.iter().map(|p| PollFd::new(&p.channel, PollFlags::OUT)).collect();
            let _ = poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
        }
    }
}
