//! The last stages of a process, which are in the order of their privileges.

use std::convert::Infallible;
use std::os::fd::AsFd;

use super::program::Search;
use super::{Prepared, PrivateProc, descriptors, home, stdio, working_directory};
use crate::error::Stage;
use crate::message::{self, AtStage, Failure};

impl Prepared {
    /// Finds the program, so that its absence is told before anybody waits for it to be started. The root is in place.
    pub(crate) fn find_program(&mut self) -> Result<(), Failure> {
        if self.environment.is_relative() {
            self.enter_working_directory()?;
        }
        let found = self.environment.search().next_file()?;
        self.program = Some(found);
        Ok(())
    }

    /// Everything else, up to execve(2).
    ///
    /// `proc` is where attributes of this process are written. `socket` hears that execve(2) is next.
    pub(crate) fn become_program(&mut self, proc: &PrivateProc, socket: impl AsFd) -> Result<Infallible, Failure> {
        self.labels.apply(proc)?;
        self.oom_score.map_or(Ok(()), |score| score.apply(proc))?;
        self.set_scheduling()?;
        let entered = self.enter_working_directory()?;
        let home = self.environment.needs_home().then(|| home::of_own(self.identity.uid));
        let exec = self.environment.exec_args(home.as_deref());
        let (name, path) = (self.environment.program.clone(), self.environment.path.clone());
        let (program, search) = self.search(&name, &path)?;
        stdio::give_to(self.identity.uid).at(Stage::Terminal)?;
        self.rlimits.apply()?;
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true).at(Stage::Privileges)?;
            self.become_user(entered)?;
            self.install_filter(&socket)?;
        } else {
            // Without that promise a filter is a privilege, which the next step takes away.
            self.install_filter(&socket)?;
            self.become_user(entered)?;
        }
        Err(search.execute(program, &exec))
    }

    fn set_scheduling(&self) -> Result<(), Failure> {
        if let Some(scheduler) = &self.scheduler {
            scheduler.apply().at(Stage::Scheduler)?;
        }
        if let Some((class, level)) = self.io_priority {
            jail::set_io_priority(class, level).at(Stage::IoPriority)?;
        }
        if let Some(policy) = &self.memory_policy {
            policy.apply().at(Stage::MemoryPolicy)?;
        }
        if let Some(domain) = self.domain {
            jail::set_personality(domain).at(Stage::Personality)?;
        }
        if let Some(last) = self.affinity.as_ref().and_then(|affinity| affinity.last.as_ref()) {
            rustix::thread::sched_setaffinity(None, last).about(Stage::Affinity, "process.execCPUAffinity.final")?;
        }
        Ok(())
    }

    /// What was found before is only looked at again.
    fn search<'a>(&mut self, name: &'a str, path: &'a str) -> Result<(String, Search<'a>), Failure> {
        if let Some(found) = self.program.take()
            && let Some(search) = Search::after(name, path, &found)
        {
            return Ok((found, search));
        }
        let mut search = Search::new(name, path);
        Ok((search.next_file()?, search))
    }

    fn enter_working_directory(&self) -> Result<bool, Failure> {
        working_directory::enter(&self.working_directory).about(Stage::WorkingDirectory, &self.working_directory)
    }

    /// Becomes the program's user with its capabilities, for good.
    fn become_user(&self, entered: bool) -> Result<(), Failure> {
        self.capabilities.before_user(self.identity.uid)?;
        self.identity.assume()?;
        if !entered && !self.enter_working_directory()? {
            return Err(rustix::io::Errno::ACCESS).about(Stage::WorkingDirectory, &self.working_directory);
        }
        working_directory::verify().about(Stage::WorkingDirectory, &self.working_directory)?;
        self.capabilities.after_user()?;
        self.identity.set_umask();
        Ok(())
    }

    /// Whatever the filter forbids from here on must not be needed: "ready" is told and descriptors are closed before it.
    fn install_filter(&mut self, socket: impl AsFd) -> Result<(), Failure> {
        message::send_ready(socket);
        descriptors::close_others(self.settings.preserve_fds).at(Stage::Descriptors)?;
        let notify = self.notifier.take().map(|notifier| (notifier, std::mem::take(&mut self.notification)));
        match &self.filter {
            Some(filter) => filter.install(notify).at(Stage::Seccomp),
            None => Ok(()),
        }
    }
}
