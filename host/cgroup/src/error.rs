use std::io;
use std::path::PathBuf;

use crate::Controller;

/// Why a control group does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mount table cannot be read.
    #[error("cannot read /proc/self/mountinfo; is /proc mounted?")]
    Mounts(#[source] io::Error),
    /// No hierarchy at all.
    #[error("no cgroup file system is mounted; mount one with: mount -t cgroup2 none /sys/fs/cgroup")]
    NoHierarchy,
    /// A limit was asked for that nothing here can enforce.
    #[error(
        "this machine has no '{controller}' cgroup controller, which {option} needs; run without that option or enable the controller (see /proc/cgroups)"
    )]
    MissingController {
        /// The missing controller.
        controller: Controller,
        /// The option of the command line that needs it.
        option: &'static str,
    },
    /// A group's directory cannot be made or opened.
    #[error("cannot create the control group {path}")]
    Create {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel refuses a value.
    #[error("cannot write '{value}' to {path}")]
    Write {
        /// The control file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A control file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The control file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The device filter is refused.
    #[error("cannot attach the device filter (eBPF) to {path}")]
    DeviceFilter {
        /// The group's directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A group cannot be removed.
    #[error("cannot remove the control group {path}; its processes may still be ending, so try again")]
    Remove {
        /// The group's directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}
