use std::net::Ipv4Addr;
use std::time::SystemTime;

use plan::ExitStatus;
use serde::{Deserialize, Serialize};

use crate::instance::ProcessId;

/// Where an instance is in its life, as last recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, and never started.
    Prepared,
    /// Being started.
    Created,
    /// Started.
    Running,
    /// Ended, and about to be started again.
    Restarting,
    /// Ended, or never started.
    Exited,
}

/// Where an instance really is, after looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Made, and never started.
    #[serde(rename = "created")]
    Prepared,
    /// Being started.
    #[serde(rename = "starting")]
    Created,
    /// Runs, and its supervisor watches it.
    Running,
    /// Runs, and all its processes are frozen.
    Paused,
    /// Ended, and about to be started again.
    Restarting,
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
            Self::Prepared => "created",
            Self::Created => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Unsupervised => "unsupervised",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// Whether a program runs, or will without anybody's doing.
    pub const fn is_alive(self) -> bool {
        self.is_running() || matches!(self, Self::Created | Self::Restarting)
    }

    /// Whether a program runs now.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Unsupervised)
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
    /// How often it was started again by its restart policy.
    #[serde(default)]
    pub restarts: u32,
    /// Whether its processes are frozen.
    #[serde(default)]
    pub paused: bool,
    /// Whether it ended because its memory limit was reached.
    #[serde(default)]
    pub oom_killed: bool,
    /// What its health check says, if it has one.
    #[serde(default)]
    pub checked: Option<Checked>,
}

/// The state of a health check, in Docker's words and names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Checked {
    /// `starting`, `healthy` or `unhealthy`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The last five checks, oldest first.
    pub log: Vec<CheckLog>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckLog {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
    /// 0: healthy; -1: it could not be run, or took too long.
    pub exit_code: i32,
    /// The beginning of what it printed.
    pub output: String,
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
            restarts: 0,
            paused: false,
            oom_killed: false,
            checked: None,
        }
    }

    /// A start by a command: what was recorded of earlier runs is over.
    pub(crate) fn begin(&mut self) {
        *self = Self { created: self.created, supervisor: ProcessId::of(std::process::id() as i32), ..Self::new() };
    }

    /// A start by the restart policy.
    pub(crate) fn again(&mut self) {
        self.restarts = self.restarts.saturating_add(1);
        self.status = Status::Created;
        self.process = None;
        self.checked = None;
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
