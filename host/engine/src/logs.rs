use std::time::Duration;

use crate::supervisor::{LogLine, LogReader};
use crate::{Engine, Error, Instance};

/// The lines that an instance printed.
#[derive(Debug)]
pub struct Logs<'a> {
    engine: &'a Engine,
    instance: Instance,
    reader: Option<LogReader>,
    follow: bool,
    ended: bool,
}

impl Engine {
    /// The log of an instance from its beginning; with `follow`, waits for more until the instance ends.
    pub fn logs(&self, what: &str, follow: bool) -> Result<Logs<'_>, Error> {
        let instance = self.find(what)?;
        let reader = LogReader::open(instance.dir())?;
        Ok(Logs { engine: self, instance, reader, follow, ended: false })
    }
}

impl Iterator for Logs<'_> {
    type Item = std::io::Result<LogLine>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.reader.as_mut()?.next_line() {
                Ok(Some(line)) => return Some(Ok(line)),
                Err(error) => return Some(Err(error)),
                Ok(None) if self.ended => return None,
                Ok(None) => self.wait_for_more(),
            }
        }
    }
}

impl Logs<'_> {
    /// Looks once more after the end was seen: what was written before it is then still found.
    fn wait_for_more(&mut self) {
        let now = self.engine.instances.load(&self.instance.plan.id);
        self.ended = !self.follow || !now.is_ok_and(|now| now.health.is_alive() && now.is_supervised());
        if !self.ended {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
