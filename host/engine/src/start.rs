//! Starting instances that exist: made before, or ended.

use std::time::Duration;

use plan::{ExitStatus, InstanceId};

use crate::instance::{Health, Status};
use crate::supervisor::{self, Client};
use crate::{Engine, Error, RunRequest, Streams, events};

impl Engine {
    /// Makes an instance without starting it.
    pub fn create(&self, request: &RunRequest) -> Result<InstanceId, Error> {
        let plan = request.plan(self)?;
        self.instances.create(&plan, Status::Prepared)?;
        self.write_cid_file(&plan)?;
        events::write(&self.paths, &plan, "create", &[]);
        Ok(plan.id)
    }

    /// Starts an instance that was made or has ended, with what its program has written before. One that runs goes on running.
    ///
    /// The calling process must have one thread: the instance's supervisor is forked from it.
    pub fn start(&self, what: &str) -> Result<(), Error> {
        match self.start_again(what)? {
            Some(mut client) => client.started(),
            None => Ok(()),
        }
    }

    /// As [`start`](Self::start), but passes streams and signals on until the program has ended; `None`
    /// if the detach keys were typed.
    pub fn start_attached(&self, what: &str, streams: &Streams) -> Result<Option<ExitStatus>, Error> {
        let terminal = self.find(what)?.plan.process.terminal;
        match self.start_again(what)? {
            Some(mut client) => client.relay(&Streams { terminal, ..streams.clone() }),
            None => self.attach(what, streams),
        }
    }

    fn start_again(&self, what: &str) -> Result<Option<Client>, Error> {
        let mut instance = self.started(what)?;
        if instance.health.is_alive() {
            return Ok(None);
        }
        if instance.health == Health::Dead {
            self.record_end(&mut instance)?;
        }
        supervisor::spawn(&self.paths, instance).map(Some)
    }

    /// Ends an instance as [`stop`](Self::stop) does, and starts it again.
    pub fn restart(&self, what: &str, signal: Option<i32>, grace: Option<Duration>) -> Result<(), Error> {
        let instance = self.started(what)?;
        if instance.plan.auto_remove && instance.health.is_alive() {
            let hint = "it was started with --rm and is removed when it ends";
            return Err(Error::WrongState { name: instance.plan.name, state: "not to be started again", hint });
        }
        self.stop(what, signal, grace)?;
        self.start(what)?;
        events::write(&self.paths, &instance.plan, "restart", &[]);
        Ok(())
    }
}
