use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use plan::LogDriver;

use crate::follow::Watch;
use crate::supervisor::{LogLine, LogReader};
use crate::{Engine, Error, Instance};

/// Which lines of a log.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Wait for more until the instance ends.
    pub follow: bool,
    /// None from before.
    pub since: Option<SystemTime>,
    /// None from after.
    pub until: Option<SystemTime>,
    /// Of those that are there already, only so many last ones.
    pub tail: Option<usize>,
}

/// The lines that an instance printed.
#[derive(Debug)]
pub struct Logs<'a> {
    engine: &'a Engine,
    instance: Instance,
    reader: LogReader,
    watch: Option<Watch>,
    options: LogOptions,
    last: VecDeque<LogLine>,
    ended: bool,
}

impl Engine {
    /// The log of an instance, oldest line first.
    pub fn logs(&self, what: &str, options: LogOptions) -> Result<Logs<'_>, Error> {
        let instance = self.find(what)?;
        let driver = match instance.plan.lifecycle.log.driver {
            LogDriver::JsonFile => None,
            LogDriver::Journald => Some(("journald", "journalctl CONTAINER_NAME=…")),
            LogDriver::None => Some(("none", "nothing was kept")),
        };
        if let Some((driver, hint)) = driver {
            return Err(Error::NoLog { name: instance.plan.name, driver, hint });
        }
        let read = || Error::file("reading the log of", instance.dir());
        let watch = options.follow.then(|| Watch::new(instance.dir())).transpose().map_err(read())?;
        let reader = LogReader::open(instance.dir()).map_err(read())?;
        let mut logs = Logs { engine: self, instance, reader, watch, options, last: VecDeque::new(), ended: false };
        if let Some(count) = logs.options.tail {
            logs.keep_last(count)?;
        }
        Ok(logs)
    }
}

impl Iterator for Logs<'_> {
    type Item = std::io::Result<LogLine>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(line) = self.last.pop_front() {
            return Some(Ok(line));
        }
        loop {
            match self.next_wanted() {
                Ok(None) if !self.ended => self.wait_for_more(),
                line => return line.transpose(),
            }
        }
    }
}

impl Logs<'_> {
    /// Reads what is there now, and keeps the last lines of it.
    fn keep_last(&mut self, count: usize) -> Result<(), Error> {
        loop {
            let line = self.next_wanted().map_err(Error::file("reading the log of", self.instance.dir()))?;
            let Some(line) = line else { return Ok(()) };
            self.last.push_back(line);
            if self.last.len() > count {
                self.last.pop_front();
            }
        }
    }

    fn next_wanted(&mut self) -> std::io::Result<Option<LogLine>> {
        while let Some(line) = self.reader.next_line()? {
            let at = humantime::parse_rfc3339(&line.time).ok();
            if self.options.until.is_some_and(|until| at.is_some_and(|at| at > until)) {
                self.ended = true;
                return Ok(None);
            }
            if self.options.since.is_none_or(|since| at.is_none_or(|at| at >= since)) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Looks once more after the end was seen: what was written before it is then still found.
    fn wait_for_more(&mut self) {
        let now = self.engine.instances.load(&self.instance.plan.id);
        let over = self.options.until.is_some_and(|until| until <= SystemTime::now());
        let alive =
            now.is_ok_and(|now| now.health == crate::Health::Created || now.health.is_alive() && now.is_supervised());
        match &self.watch {
            // Its record, in the same directory, changes at its end; a supervisor that is killed changes nothing.
            Some(watch) if alive && !over => {
                let left = self.options.until.and_then(|until| until.duration_since(SystemTime::now()).ok());
                watch.wait(left.unwrap_or(Duration::MAX).min(Duration::from_millis(500)));
            }
            _ => self.ended = true,
        }
    }
}
