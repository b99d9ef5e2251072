//! What happened to instances: one JSON object a line in `events.log` of the state directory, in the format of Docker's events.
//!
//! Whoever does something writes it, in one write(2) to a file opened with `O_APPEND`, so lines of several processes do not
//! mix. A full log is put aside; one more is kept.

mod filter;
mod reader;
mod writer;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

pub use filter::{EventFilter, ParseFilterError};
pub use reader::Events;
use serde::{Deserialize, Serialize};
pub(crate) use writer::write;

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What kind of thing it happened to: `container`, as Docker calls instances of every level.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What: `create`, `start`, `die`, …
    #[serde(rename = "Action")]
    pub action: String,
    /// To whom.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// Docker's swarms have others.
    pub scope: String,
    /// Seconds since 1970.
    pub time: u64,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: u64,
}

/// The instance that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name, image, level, and what belongs to the event.
    #[serde(rename = "Attributes")]
    pub attributes: BTreeMap<String, String>,
}

impl Event {
    pub(crate) fn new(plan: &plan::LaunchPlan, action: &str, more: &[(&str, &str)]) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let level = plan.isolation.to_string();
        let usual = [("image", plan.image.as_str()), ("name", plan.name.as_str()), ("level", level.as_str())];
        let attributes = usual.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self {
            kind: "container".to_owned(),
            action: action.to_owned(),
            actor: Actor { id: plan.id.to_string(), attributes },
            scope: "local".to_owned(),
            time: now.as_secs(),
            time_nano: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// When it happened.
    pub fn at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.time_nano)
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = humantime::format_rfc3339_nanos(self.at());
        write!(f, "{time} {} {} {} (", self.kind, self.action, self.actor.id)?;
        for (at, (name, value)) in self.actor.attributes.iter().enumerate() {
            write!(f, "{}{name}={value}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str(")")
    }
}
