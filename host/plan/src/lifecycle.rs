//! What the engine does with an instance beside running it: again, watching it, keeping its output.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How an instance is looked after. Plans of older versions lack it: then nothing of it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifecycle {
    /// Whether it is started again when it ends.
    pub restart: Restart,
    /// How its health is checked, if at all.
    pub health: Option<HealthCheck>,
    /// Where its output goes.
    pub log: LogConfig,
    /// Puts a small first process before the program, which passes signals on and reaps orphans.
    pub init: bool,
    /// Keeps standard input open.
    pub interactive: bool,
}

/// When an instance that has ended is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// If its exit status is not 0, at most so often in a row (0: without end).
    OnFailure(u32),
    /// Always, unless it was stopped.
    Always,
    /// As `Always`; told apart by tools that start instances after a boot.
    UnlessStopped,
}

/// The text names no restart policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no restart policy; choose no, on-failure[:N], always or unless-stopped")]
pub struct ParseRestartError(String);

impl FromStr for Restart {
    type Err = ParseRestartError;

    fn from_str(text: &str) -> Result<Self, ParseRestartError> {
        match text {
            "no" => Ok(Self::No),
            "always" => Ok(Self::Always),
            "unless-stopped" => Ok(Self::UnlessStopped),
            "on-failure" => Ok(Self::OnFailure(0)),
            _ => {
                let times = text.strip_prefix("on-failure:").and_then(|n| n.parse().ok());
                times.map(Self::OnFailure).ok_or_else(|| ParseRestartError(text.to_owned()))
            }
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::OnFailure(0) => f.write_str("on-failure"),
            Self::OnFailure(times) => write!(f, "on-failure:{times}"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
        }
    }
}

/// A program that is run inside every now and then; its exit status 0 means healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The argument vector.
    pub command: Vec<String>,
    /// From the end of one check to the start of the next, in milliseconds.
    pub interval_ms: u64,
    /// A check that takes longer has failed, in milliseconds.
    pub timeout_ms: u64,
    /// Failures this soon after the start do not count, in milliseconds.
    pub start_period_ms: u64,
    /// So many failures in a row mean unhealthy.
    pub retries: u32,
}

/// What becomes of an instance's output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// Where it goes.
    pub driver: LogDriver,
    /// A log file that would grow beyond so many bytes is put aside.
    pub max_size: Option<u64>,
    /// How many files are kept, with the current one; at least 1.
    pub max_files: Option<u32>,
    /// How the output is marked in the journal instead of the instance's short id.
    pub tag: Option<String>,
}

/// Where output goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Files in the instance's directory, which `coracle logs` reads.
    #[default]
    JsonFile,
    /// Nowhere.
    None,
    /// systemd's journal.
    Journald,
}

/// The text names no log driver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no log driver; choose json-file, journald or none")]
pub struct ParseLogDriverError(String);

impl FromStr for LogDriver {
    type Err = ParseLogDriverError;

    fn from_str(text: &str) -> Result<Self, ParseLogDriverError> {
        match text {
            "json-file" => Ok(Self::JsonFile),
            "none" => Ok(Self::None),
            "journald" => Ok(Self::Journald),
            _ => Err(ParseLogDriverError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_docker_reads_them() {
        for text in ["no", "on-failure", "on-failure:3", "always", "unless-stopped"] {
            assert_eq!(text.parse::<Restart>().unwrap().to_string(), text);
        }
        for bad in ["", "never", "on-failure:", "on-failure:-1", "always:3"] {
            assert!(bad.parse::<Restart>().is_err(), "{bad}");
        }
    }
}
