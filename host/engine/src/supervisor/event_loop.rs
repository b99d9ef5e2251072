use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cgroup::OomNotifier;
use network::{Network, Resolver};
use plan::ExitStatus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, acceptfrom_with};

use super::channel::Channel;
use super::client::listen;
use super::frame::{Frame, MAX_PAYLOAD};
use super::health::Checker;
use super::log::LogWriter;
use super::output::Output;
use crate::Paths;
use crate::instance::{Instance, Lock};
use crate::launch::Running;

/// Output that an attached client has not read yet; beyond it the program's output waits.
const MAX_BACKLOG: usize = 1 << 20;

/// An instance without events for so long is not just starting or ending.
const QUIET: Duration = Duration::from_secs(1);

/// A command that talks with the supervisor.
pub(super) struct Peer {
    pub(super) channel: Channel,
    pub(super) attached: bool,
    pub(super) waiting: bool,
    pub(super) gone: bool,
}

impl Peer {
    pub(super) fn new(channel: Channel, attached: bool) -> Self {
        Self { channel, attached, waiting: attached, gone: false }
    }

    pub(super) fn send(&mut self, frame: &Frame) {
        self.gone |= self.channel.send(frame).is_err();
    }
}

/// A program that runs, and what belongs to this run of it.
pub(super) struct Program {
    pub(super) running: Running,
    pub(super) network: Option<Network>,
    pub(super) resolver: Option<Resolver>,
    pub(super) started: Instant,
    /// Notices that the limit of memory was reached, if there is one.
    pub(super) oom: Option<OomNotifier>,
    /// Whether it was.
    pub(super) oom_seen: bool,
}

/// The state of a supervisor.
pub(super) struct Supervisor<'a> {
    pub(super) paths: &'a Paths,
    pub(super) instance: Instance,
    /// `None` before the first run and between two.
    pub(super) program: Option<Program>,
    pub(super) output: Option<Output>,
    pub(super) log: LogWriter,
    pub(super) checker: Option<Checker>,
    pub(super) listener: Option<OwnedFd>,
    pub(super) peers: Vec<Peer>,
    /// Somebody wants it to end: it is not started again.
    pub(super) stopping: bool,
    /// Whether the memory that only a start or a check needed was given back.
    pub(super) settled: bool,
    /// When something last happened.
    active: Instant,
    // Held as long as this process lives: it is how others know that it does.
    _lock: Lock,
}

impl<'a> Supervisor<'a> {
    pub(super) fn new(paths: &'a Paths, instance: Instance, lock: Lock) -> Self {
        Self {
            paths,
            log: LogWriter::new(&instance),
            instance,
            program: None,
            output: None,
            checker: None,
            listener: None,
            peers: Vec::new(),
            stopping: false,
            settled: false,
            active: Instant::now(),
            _lock: lock,
        }
    }

    /// Listens for commands; an instance that cannot be talked with runs all the same.
    pub(super) fn listen(&mut self) {
        self.listener = listen(self.instance.dir()).ok();
    }

    /// Waits for something and deals with it; gives the program's status once it has ended.
    pub(super) fn turn(&mut self, deadline: Option<Instant>) -> Result<Option<ExitStatus>, crate::Error> {
        self.wait(deadline);
        self.pump_output();
        if let Some(output) = &mut self.output {
            output.flush_input();
        }
        let mut status = None;
        if let Some(program) = &mut self.program {
            if let Some(resolver) = &mut program.resolver {
                resolver.handle_ready();
            }
            if program.oom.as_mut().is_some_and(|oom| oom.take().unwrap_or(0) > 0) {
                program.oom_seen = true;
                crate::events::write(self.paths, &self.instance.plan, "oom", &[]);
            }
            status = program.running.handle_ready()?;
        }
        self.accept();
        self.serve_peers();
        if status.is_none() {
            self.check_health();
        }
        Ok(status)
    }

    fn wait(&mut self, deadline: Option<Instant>) {
        if self.poll(deadline) {
            self.active = Instant::now();
        } else if !self.settled && self.active.elapsed() >= QUIET {
            crate::memory::release();
            self.settled = true;
        }
    }

    /// Something will touch much of the program soon, which is given back afterwards.
    pub(super) fn unsettle(&mut self) {
        self.settled = false;
        self.active = Instant::now();
    }

    /// Whether something happened before the first deadline.
    fn poll(&self, deadline: Option<Instant>) -> bool {
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(8);
        if let Some(program) = &self.program {
            fds.extend(program.running.poll_fds());
            fds.extend(program.oom.as_ref().map(|oom| PollFd::from_borrowed_fd(oom.as_fd(), PollFlags::IN)));
            fds.extend(program.resolver.as_ref().map(|r| PollFd::from_borrowed_fd(r.fd(), PollFlags::IN)));
        }
        if let Some(output) = &self.output {
            if self.may_read_output() {
                fds.extend(output.readers().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            }
            fds.extend(output.writer().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        }
        fds.extend(self.checker.iter().flat_map(Checker::poll_fds));
        fds.extend(self.listener.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        let takes_input = self.output.as_ref().is_none_or(Output::takes_input);
        for peer in &self.peers {
            let mut events = if takes_input { PollFlags::IN } else { PollFlags::empty() };
            events.set(PollFlags::OUT, peer.channel.backlog() > 0);
            fds.push(PollFd::new(&peer.channel, events));
        }
        let quiet = (!self.settled).then(|| self.active + QUIET);
        let next = [deadline, quiet, self.checker.as_ref().map(Checker::deadline)].into_iter().flatten().min();
        let limit = next.map(|next| {
            let left = next.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
        });
        // Interrupted or not: everything is looked at without waiting.
        poll(&mut fds, limit.as_ref()) != Ok(0)
    }

    fn may_read_output(&self) -> bool {
        self.peers.iter().all(|peer| !peer.attached || peer.channel.backlog() < MAX_BACKLOG)
    }

    pub(super) fn pump_output(&mut self) {
        if !self.may_read_output() {
            return;
        }
        let (log, peers) = (&mut self.log, &mut self.peers);
        let Some(output) = &mut self.output else { return };
        output.drain(|stream, data| {
            log.write(stream, data);
            for piece in data.chunks(MAX_PAYLOAD) {
                let frame = if stream == 0 { Frame::Stdout(piece.to_vec()) } else { Frame::Stderr(piece.to_vec()) };
                for peer in peers.iter_mut().filter(|peer| peer.attached) {
                    peer.send(&frame);
                }
            }
        });
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        while let Ok((socket, _)) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            self.peers.push(Peer::new(Channel::new(socket), false));
        }
    }

    fn serve_peers(&mut self) {
        for at in 0..self.peers.len() {
            let mut frames = Vec::new();
            let peer = &mut self.peers[at];
            peer.gone |= peer.channel.flush().is_err();
            peer.gone |= peer.channel.receive(&mut frames).is_err();
            for frame in frames {
                if let Some(answer) = self.serve(at, frame) {
                    self.peers[at].send(&answer);
                }
            }
        }
        self.peers.retain(|peer| !peer.gone);
    }
}
