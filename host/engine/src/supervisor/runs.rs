//! The runs of an instance: its start, its end, and what comes after.

use std::time::{Duration, Instant, SystemTime};

use container::Io;
use network::Resolver;
use plan::{ExitStatus, Isolation};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::channel::Channel;
use super::event_loop::{Peer, Program, Supervisor};
use super::frame::Frame;
use super::health::Checker;
use super::output::{console_socket, open_streams};
use super::restart::Backoff;
use crate::error::chain;
use crate::instance::{ProcessId, Status};
use crate::launch;
use crate::{Error, Instances, events};

impl Supervisor<'_> {
    /// Starts the program; `output` is set as soon as there is something that could be read from it.
    pub(super) fn launch(&mut self) -> Result<(), Error> {
        let plan = self.instance.plan.clone();
        self.log.open()?;
        let (io, console) = if plan.process.terminal && plan.isolation == Isolation::Container {
            // Of the container's own devpts, so that the program can name it.
            let (socket, console) = console_socket()?;
            (Io::ConsoleSocket(socket), Some(console))
        } else {
            let (stdio, kept) = open_streams(plan.process.terminal, plan.lifecycle.interactive)?;
            self.output = Some(kept);
            (Io::Given(stdio), None)
        };
        let instance = &mut self.instance;
        let launched = launch::launch(self.paths, &plan, io, |pid, address| {
            instance.record.process = ProcessId::of(pid);
            instance.record.address = address;
            instance.record.status = Status::Running;
            instance.record.started = Some(SystemTime::now());
            instance.record.checked = plan.lifecycle.health.as_ref().map(|_| super::health::starting());
            instance.save()
        })?;
        if let Some(console) = console {
            self.output = Some(console.receive()?);
        }
        events::write(self.paths, &plan, "start", &[]);
        // Names are a convenience: an instance whose resolver cannot listen runs all the same.
        let resolver = launched.network.as_ref().and_then(|network| Resolver::bind(network).ok().flatten());
        let oom = crate::groups::oom_notifier(&plan);
        let (running, network) = (launched.running, launched.network);
        self.program = Some(Program { running, network, resolver, started: Instant::now(), oom, oom_seen: false });
        self.checker = plan.lifecycle.health.map(Checker::new);
        self.unsettle();
        Ok(())
    }

    /// Watches the program, starts it again as its policy says, and cleans up at the end.
    pub(super) fn run(&mut self, caller: Channel) {
        self.listen();
        self.peers.push(Peer::new(caller, true));
        let mut backoff = Backoff::default();
        loop {
            let began = self.program.as_ref().map_or_else(Instant::now, |program| program.started);
            let status = self.watch();
            let (policy, restarts) = (self.instance.plan.lifecycle.restart, self.instance.record.restarts);
            let code = status.as_ref().map_or_else(|e| ExitStatus::Exited(e.exit_code()), |s| *s);
            let pause = backoff.next(policy, restarts, code, began.elapsed()).filter(|_| !self.stopping);
            self.finish(status, pause.is_some());
            let Some(pause) = pause else { break };
            if !self.rest(pause) {
                self.instance.record.status = Status::Exited;
                let _ = self.instance.save();
                break;
            }
            self.instance.record.again();
            if let Err(error) = self.launch() {
                super::serve::fail(self.paths, self.instance.clone(), &error);
                self.tell(ExitStatus::Exited(error.exit_code()));
                break;
            }
        }
        self.linger();
    }

    fn watch(&mut self) -> Result<ExitStatus, Error> {
        loop {
            if let Some(status) = self.turn(None)? {
                return Ok(status);
            }
        }
    }

    /// Waits between two runs; false if somebody wants no further one.
    fn rest(&mut self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        while !self.stopping {
            if Instant::now() >= deadline {
                return true;
            }
            let _ = self.turn(Some(deadline));
        }
        false
    }

    /// Records the end, gives everything back, and tells those who wait: in this order, so that whoever is told finds it done.
    fn finish(&mut self, status: Result<ExitStatus, Error>, again: bool) {
        self.pump_output();
        self.log.finish();
        self.checker = None;
        let (status, error) = match status {
            Ok(status) => (status, None),
            Err(error) => (ExitStatus::Exited(error.exit_code()), Some(chain(&error))),
        };
        let plan = &self.instance.plan;
        let oom = plan.resources.memory.is_some() && crate::groups::oom_kills(plan) > 0;
        let program = self.program.take();
        let oom_told = program.as_ref().is_some_and(|program| program.oom_seen);
        let network = program.and_then(|program| program.network);
        let cleaned = launch::destroy_ended(network.as_ref(), plan);
        let code = status.code().to_string();
        if oom && !oom_told {
            events::write(self.paths, plan, "oom", &[]);
        }
        events::write(self.paths, plan, "die", &[("exitCode", &code)]);
        let record = &mut self.instance.record;
        record.status = if again { Status::Restarting } else { Status::Exited };
        record.finished = Some(SystemTime::now());
        record.exit = Some(status);
        record.paused = false;
        record.oom_killed = oom;
        record.error = error.or_else(|| cleaned.err().map(|e| chain(&e)));
        if self.instance.plan.auto_remove {
            let _ = Instances::open(self.paths).remove(&self.instance.plan.id, Some(&self.instance.plan.name));
            events::write(self.paths, &self.instance.plan, "destroy", &[]);
        } else {
            let _ = self.instance.save();
        }
        self.output = None;
        self.tell(status);
    }

    fn tell(&mut self, status: ExitStatus) {
        for peer in self.peers.iter_mut().filter(|peer| peer.waiting) {
            peer.waiting = false;
            peer.send(&Frame::Exited(status));
        }
    }

    /// Clients that read slowly get their output, within limits.
    fn linger(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            self.peers.retain_mut(|peer| peer.channel.flush().is_ok() && peer.channel.backlog() > 0);
            if self.peers.is_empty() || Instant::now() > deadline {
                return;
            }
            let mut fds: Vec<_> = self.peers.iter().map(|p| PollFd::new(&p.channel, PollFlags::OUT)).collect();
            let _ = poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
        }
    }
}
