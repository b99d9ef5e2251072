use std::net::Ipv4Addr;
use std::time::SystemTime;

use plan::ExitStatus;
use serde::{Deserialize, Serialize};

use crate::instance::ProcessId;

/// Where an instance is in its life, as last recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being started.
    Created,
    /// Started.
    Running,
    /// Ended, or never started.
    Exited,
}

/// Where an instance really is, after looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Being started.
    Created,
    /// Runs, and its supervisor watches it.
    Running,
    /// Runs, but its supervisor is gone: logs are no longer kept and its exit status will be unknown.
    Unsupervised,
    /// Ended, or never started.
    Exited,
    /// Supervisor and program are gone and nobody recorded why.
    Dead,
}

impl Health {
    /// The word that tables show.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Unsupervised => "unsupervised",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// Whether a program runs.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Created | Self::Running | Self::Unsupervised)
    }
}

/// What is recorded of an instance's life (`state.json`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Where it is.
    pub status: Status,
    /// When it was made.
    pub created: SystemTime,
    /// When its program was started.
    pub started: Option<SystemTime>,
    /// When it ended.
    pub finished: Option<SystemTime>,
    /// How it ended.
    pub exit: Option<ExitStatus>,
    /// Why it could not be started.
    pub error: Option<String>,
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// The process on the host that is the instance: the first of a container, the machine monitor, or the unikernel.
    pub(crate) process: Option<ProcessId>,
    /// Its supervisor.
    pub(crate) supervisor: Option<ProcessId>,
}

impl Record {
    /// The record of an instance that was just made.
    pub(crate) fn new() -> Self {
        Self {
            status: Status::Created,
            created: SystemTime::now(),
            started: None,
            finished: None,
            exit: None,
            error: None,
            address: None,
            process: None,
            supervisor: None,
        }
    }

    /// The host process id of the instance, if it was started.
    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(|p| p.pid)
    }

    /// The host process id of its supervisor, if it has one.
    pub fn supervisor_pid(&self) -> Option<i32> {
        self.supervisor.as_ref().map(|p| p.pid)
    }
}
