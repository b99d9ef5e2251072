use std::time::{Duration, SystemTime};

use super::Event;
use super::filter::{EventFilter, all_match};
use crate::follow::{Lines, Watch};
use crate::{Engine, Error};

/// Events in the order in which they were written.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
    watch: Watch,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    filters: Vec<EventFilter>,
}

impl Engine {
    /// The events from `since` (from now on, if not given) until `until` (without end, if not given), waiting for those that
    /// are still to come.
    pub fn events(
        &self,
        since: Option<SystemTime>,
        until: Option<SystemTime>,
        filters: Vec<EventFilter>,
    ) -> Result<Events, Error> {
        let path = self.paths.events();
        std::fs::create_dir_all(self.paths.root()).map_err(Error::file("creating", self.paths.root()))?;
        let watch = Watch::new(self.paths.root()).map_err(Error::file("watching", self.paths.root()))?;
        let lines = Lines::open(&path).map_err(Error::file("reading", &path))?;
        let since = since.or_else(|| until.is_none_or(|t| t > SystemTime::now()).then(SystemTime::now));
        Ok(Events { lines, watch, since, until, filters })
    }
}

impl Events {
    fn wants(&self, event: &Event) -> bool {
        let (at, after, before) = (event.at(), self.since, self.until);
        after.is_none_or(|t| at >= t) && before.is_none_or(|t| at <= t) && all_match(&self.filters, event)
    }
}

impl Iterator for Events {
    type Item = std::io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Before reading: what is written until then is then still found.
            let left = self.until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
            match self.lines.next() {
                // A damaged line is passed over.
                Ok(Some(line)) => match serde_json::from_str::<Event>(&line) {
                    Ok(event) if self.wants(&event) => return Some(Ok(event)),
                    _ => {}
                },
                Ok(None) if left == Some(Duration::ZERO) => return None,
                Ok(None) => self.watch.wait(left.unwrap_or(Duration::from_secs(3600))),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
