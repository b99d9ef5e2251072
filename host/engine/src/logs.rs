use std::time::Duration;

use crate::supervisor::{LogLine, LogReader};
use crate::{Engine, Error, Health, Instance};

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
        Ok(Logs { engine: self, instance, reader: None, follow, ended: false })
    }
}

impl Iterator for Logs<'_> {
    type Item = std::io::Result<LogLine>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_line() {
                Ok(None) if !self.ended => self.wait_for_more(),
                line => return line.transpose(),
            }
        }
    }
}

impl Logs<'_> {
    /// The first output makes the file.
    fn next_line(&mut self) -> std::io::Result<Option<LogLine>> {
        if self.reader.is_none() {
            self.reader = LogReader::open(self.instance.dir())?;
        }
        self.reader.as_mut().map_or(Ok(None), LogReader::next_line)
    }

    /// Looks once more after the end was seen: what was written before it is then still found.
    fn wait_for_more(&mut self) {
        let now = self.engine.instances.load(&self.instance.plan.id);
        self.ended = !self.follow
            || !now.is_ok_and(|now| now.health == Health::Created || now.health.is_alive() && now.is_supervised());
        if !self.ended {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
