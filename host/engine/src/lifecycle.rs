//! What can be done with an instance that exists: wait, signal, stop, attach, remove.

use std::time::{Duration, Instant};

use plan::ExitStatus;
use rustix::process::Signal;

use crate::instance::Health;
use crate::supervisor::{Client, Frame};
use crate::{Engine, Error, Instance, Streams, events, launch};

impl Engine {
    /// Waits until the instance has ended, and gives its exit status; one that nobody recorded counts as 255, as Docker's.
    pub fn wait(&self, what: &str) -> Result<ExitStatus, Error> {
        let instance = self.find(what)?;
        self.wait_for(&instance)
    }

    fn wait_for(&self, instance: &Instance) -> Result<ExitStatus, Error> {
        if let Ok(mut client) = Client::connect(instance.dir())
            && client.send(&Frame::Wait).is_ok()
            && let Ok(status) = client.exited()
        {
            return Ok(status);
        }
        loop {
            match self.instances.load(&instance.plan.id) {
                Ok(now) if now.health.is_alive() => std::thread::sleep(Duration::from_millis(50)),
                Ok(now) => return Ok(now.record.exit.unwrap_or(ExitStatus::Exited(255))),
                // It was removed at its end.
                Err(Error::NoInstance(_)) => return Ok(ExitStatus::Exited(0)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Passes streams and signals between the command and a running instance until it ends.
    ///
    /// `None` if the detach keys were typed.
    pub fn attach(&self, what: &str, streams: &Streams) -> Result<Option<ExitStatus>, Error> {
        let instance = self.active(what)?;
        let mut client = Client::connect(instance.dir())?;
        client.send(&Frame::Wait)?;
        client.request(&Frame::Attach)?;
        if instance.plan.process.terminal {
            client.redraw();
        }
        events::write(&self.paths, &instance.plan, "attach", &[]);
        client.relay(&Streams { terminal: instance.plan.process.terminal, ..streams.clone() })
    }

    /// Sends a signal to the program.
    pub fn kill(&self, what: &str, signal: i32) -> Result<(), Error> {
        let instance = self.started(what)?;
        Self::must_run(&instance)?;
        self.signal(&instance, signal)
    }

    /// Tells the supervisor that the coming end is wanted. One that is gone starts nothing again.
    fn no_further_run(instance: &Instance) {
        if let Ok(mut client) = Client::connect(instance.dir()) {
            let _ = client.request(&Frame::Stopping);
        }
    }

    /// An instance that is being started gets its signal when it runs: before, there may be nothing that could get it.
    pub(crate) fn started(&self, what: &str) -> Result<Instance, Error> {
        let mut pause = Duration::from_millis(1);
        loop {
            let instance = self.find(what)?;
            if instance.health != Health::Created {
                return Ok(instance);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn signal(&self, instance: &Instance, signal: i32) -> Result<(), Error> {
        let number = u8::try_from(signal).map_err(|_| Error::Invalid(format!("{signal} is no signal")))?;
        if let Ok(mut client) = Client::connect(instance.dir()) {
            client.request(&Frame::Signal(number))?;
            events::write(&self.paths, &instance.plan, "kill", &[("signal", &signal.to_string())]);
            return Ok(());
        }
        // Without its supervisor the program is reached directly; inside a virtual machine only its end can be had.
        let named = Signal::from_named_raw(signal).unwrap_or(Signal::KILL);
        if let Some(process) = &instance.record.process {
            process.signal(named);
        }
        Ok(())
    }

    /// Asks the program to end with `signal` (its own stop signal if not given), and ends it with SIGKILL if it has not within
    /// `grace` (its own time, or else 10 seconds).
    pub fn stop(&self, what: &str, signal: Option<i32>, grace: Option<Duration>) -> Result<(), Error> {
        let instance = self.started(what)?;
        if !instance.health.is_alive() {
            return Ok(());
        }
        Self::no_further_run(&instance);
        if instance.health == Health::Paused {
            self.unpause(what)?;
        }
        if instance.health != Health::Restarting {
            self.signal(&instance, signal.unwrap_or(instance.plan.stop_signal))?;
        }
        let own = Duration::from_secs(instance.plan.options.stop_timeout.unwrap_or(10));
        if !self.ends_within(&instance, grace.unwrap_or(own))? {
            self.end(&instance)?;
        }
        match self.instances.load(&instance.plan.id) {
            Ok(mut now) if now.health == Health::Dead => self.record_end(&mut now)?,
            _ => {}
        }
        events::write(&self.paths, &instance.plan, "stop", &[]);
        Ok(())
    }

    /// Does for an instance whose supervisor was killed what that would have done at its end.
    pub(crate) fn record_end(&self, instance: &mut Instance) -> Result<(), Error> {
        launch::destroy(&self.paths, &instance.plan)?;
        let record = &mut instance.record;
        record.status = crate::Status::Exited;
        record.finished.get_or_insert_with(std::time::SystemTime::now);
        record.exit.get_or_insert(ExitStatus::Exited(255));
        record.error.get_or_insert_with(|| "its supervisor was killed".to_owned());
        instance.save()
    }

    /// SIGKILL, and waits for the end.
    fn end(&self, instance: &Instance) -> Result<(), Error> {
        Self::no_further_run(instance);
        let _ = self.signal(instance, libc::SIGKILL);
        if !self.ends_within(instance, Duration::from_secs(10))?
            && let Some(process) = &instance.record.process
        {
            process.signal(Signal::KILL);
            self.ends_within(instance, Duration::from_secs(10))?;
        }
        Ok(())
    }

    fn ends_within(&self, instance: &Instance, time: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + time;
        let mut pause = Duration::from_millis(1);
        loop {
            match self.instances.load(&instance.plan.id) {
                // The supervisor records the end after the clean-up, so whoever sees it may remove what is left.
                Ok(now) if now.health.is_alive() || now.is_supervised() => {}
                Ok(_) | Err(Error::NoInstance(_)) => return Ok(true),
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Removes an instance; a running one only with `force`, which ends it first.
    pub fn remove(&self, what: &str, force: bool) -> Result<(), Error> {
        let instance = match self.find(what) {
            Err(Error::Damaged { .. }) if force => return self.remove_damaged(what),
            found => found?,
        };
        if instance.health.is_alive() {
            if !force {
                let hint = "stop it first, or use `coracle rm -f`";
                let (name, state) = (instance.plan.name, instance.health.word());
                return Err(Error::WrongState { name, state, hint });
            }
            self.end(&self.started(what)?)?;
        }
        // A supervisor that was killed has cleaned nothing; one that was not has left nothing: then this does nothing.
        launch::destroy(&self.paths, &instance.plan)?;
        self.instances.remove(&instance.plan.id, Some(&instance.plan.name))?;
        events::write(&self.paths, &instance.plan, "destroy", &[]);
        Ok(())
    }

    /// Nothing is known of it but its directory and its name: what carries its id elsewhere is found by `system check`.
    fn remove_damaged(&self, what: &str) -> Result<(), Error> {
        let id = self
            .instances
            .names()
            .holder(what)
            .or_else(|| self.instances.ids().into_iter().find(|id| id.as_str().starts_with(what)));
        let id = id.ok_or_else(|| Error::NoInstance(what.to_owned()))?;
        cgroup::destroy(&id)?;
        launch::open_network(&self.paths)?.release(&id)?;
        self.instances.remove(&id, None)?;
        self.instances.names().all().into_iter().filter(|(_, h)| h.as_ref() == Some(&id)).for_each(|(name, _)| {
            self.instances.names().forget(&name);
        });
        Ok(())
    }

    pub(crate) fn running(&self, what: &str) -> Result<Instance, Error> {
        let instance = self.find(what)?;
        Self::must_run(&instance)?;
        Ok(instance)
    }

    pub(crate) fn must_run(instance: &Instance) -> Result<(), Error> {
        if instance.health.is_running() {
            return Ok(());
        }
        let hint = "`coracle ps` lists those that run";
        Err(Error::WrongState { name: instance.plan.name.clone(), state: instance.health.word(), hint })
    }
}

impl Engine {
    /// Removes an image, unless an instance was made from it.
    pub fn remove_image(&self, name: &str) -> Result<(), Error> {
        let store = self.images()?;
        let reference = name.parse()?;
        let digest = store.resolve(&reference).map(|image| image.digest.to_string()).unwrap_or_default();
        // One of several names of an image may go while instances run from it; its files stay.
        let names = store.list()?.iter().filter(|image| image.digest.to_string() == digest).count();
        if let Some(user) = self.list().into_iter().find(|i| names <= 1 && i.plan.image_digest == digest) {
            return Err(Error::ImageInUse { image: name.to_owned(), instance: user.plan.name });
        }
        store.remove(&reference)?;
        if names <= 1 {
            crate::rewrite::forget(&self.paths, &digest);
            crate::rootless::forget(&self.paths, &digest);
        }
        Ok(())
    }
}
