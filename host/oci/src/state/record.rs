use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::ContainerId;
use crate::state::Identity;

/// The status of a container: those of the specification, and `paused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// `create` is at work.
    Creating,
    /// Its program waits for `start`.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are suspended.
    Paused,
    /// Its program has ended, or its creator was killed.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// What runs the program of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Namespaces of the host's kernel.
    Container,
    /// The library OS in one locked-down process.
    Unikernel,
    /// A Linux of its own in a virtual machine.
    Microvm,
}

/// How the control group was made, hence how it is found and removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cgroups {
    /// By directories.
    Cgroupfs,
    /// By systemd.
    Systemd,
    /// Not at all.
    Disabled,
}

/// `state.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub(crate) oci_version: String,
    pub(crate) id: ContainerId,
    /// None until the first process was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<Identity>,
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: PathBuf,
    /// RFC 3339.
    pub(crate) created: String,
    /// The user who created it.
    pub(crate) owner: u32,
    pub(crate) level: Level,
    /// The group's path, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cgroup: Option<String>,
    pub(crate) cgroups: Cgroups,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether there are hooks to run after deletion; most have none and need not parse their configuration.
    #[serde(default)]
    pub(crate) poststop: bool,
    #[serde(default)]
    pub(crate) poststart: bool,
    /// The bundle's configuration at creation: the bundle may be gone or changed since.
    pub(crate) config: Box<RawValue>,
}

impl Record {
    /// Reads a state file.
    ///
    /// # Errors
    /// If it is truncated or not what was written.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The configuration that the container was made of.
    ///
    /// # Errors
    /// If the state file was changed since.
    pub fn spec(&self) -> Result<oci_spec::runtime::Spec, serde_json::Error> {
        serde_json::from_str(self.config.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{"ociVersion":"1.0.2","id":"a","process":{"pid":7,"started":9},"bundle":"/b",
        "rootfs":"/b/rootfs","created":"2026-01-01T00:00:00Z","owner":0,"level":"container","cgroup":"/coracle-oci/a",
        "cgroups":"cgroupfs","config":{"ociVersion":"1.0.2","root":{"path":"rootfs"},"linux":{}}}"#;

    #[test]
    fn every_cut_is_an_error_and_never_a_panic() {
        assert!(Record::parse(EXAMPLE.as_bytes()).unwrap().spec().is_ok());
        for end in 0..EXAMPLE.len() {
            assert!(Record::parse(&EXAMPLE.as_bytes()[..end]).is_err());
        }
    }

    #[test]
    fn names_in_the_file_are_checked() {
        assert!(Record::parse(EXAMPLE.replace("\"id\":\"a\"", "\"id\":\"../a\"").as_bytes()).is_err());
    }
}
