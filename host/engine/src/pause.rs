use crate::instance::Health;
use crate::supervisor::{Client, Frame};
use crate::{Engine, Error, Instance};

impl Engine {
    /// Freezes all processes of an instance: a container's, a unikernel's, or its virtual machine.
    pub fn pause(&self, what: &str) -> Result<(), Error> {
        self.freeze(what, true)
    }

    /// Lets a paused instance go on.
    pub fn unpause(&self, what: &str) -> Result<(), Error> {
        self.freeze(what, false)
    }

    fn freeze(&self, what: &str, frozen: bool) -> Result<(), Error> {
        let instance = self.started(what)?;
        if instance.health == Health::Unsupervised {
            let hint = "its supervisor is gone, which would remember it; `coracle restart` gives it a new one";
            return Err(Error::WrongState { name: instance.plan.name, state: "unsupervised", hint });
        }
        Self::must_run(&instance)?;
        Client::connect(instance.dir())?.request(&Frame::Pause(frozen))
    }

    /// An instance that runs and is not paused.
    pub(crate) fn active(&self, what: &str) -> Result<Instance, Error> {
        let instance = self.running(what)?;
        if instance.health == Health::Paused {
            let hint = "let it go on first: coracle unpause";
            return Err(Error::WrongState { name: instance.plan.name, state: "paused", hint });
        }
        Ok(instance)
    }
}
