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
        /// What needs it: a field of the configuration or an operation.
        option: &'static str,
    },
    /// A group cannot have this name.
    #[error("the control group path '{path}' is not possible: {reason}")]
    Path {
        /// The path as it was given.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The systemd driver needs another form of path.
    #[error("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"{path}\" instead")]
    UnitPath {
        /// The path as it was given.
        path: String,
    },
    /// systemd cannot be asked.
    #[error(
        "cannot reach systemd over D-Bus at {address}; is this machine run by systemd? without it, leave out --systemd-cgroup"
    )]
    Bus {
        /// The socket.
        address: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// systemd refuses.
    #[error("systemd does not {what} the unit {unit}: {reason}")]
    Unit {
        /// The unit.
        unit: String,
        /// What was to be done.
        what: &'static str,
        /// systemd's answer.
        reason: String,
    },
    /// A group that already has processes cannot become a container's.
    #[error("container's cgroup is not empty: {count} process(es) found in {path}; choose another cgroupsPath")]
    NotEmpty {
        /// The group's directory.
        path: PathBuf,
        /// How many processes are there.
        count: usize,
    },
    /// The operation needs a control group, and this container was made without one.
    #[error("this container has no control group, which {operation} needs; start it with permission to create groups")]
    Disabled {
        /// What was to be done.
        operation: &'static str,
    },
    /// A field of `linux.resources` has a value that can never be right.
    #[error("{field}: {value} is not possible: {reason}")]
    Value {
        /// The field of the configuration.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The kernel refuses the value of a field of `linux.resources`.
    #[error("{field}: cannot write '{value}' to {path}")]
    Field {
        /// The field of the configuration.
        field: &'static str,
        /// The control file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A file of version 2 is not there.
    #[error(
        "{field}: the group has no file {file}; this machine's version 2 has no '{controller}' controller, or this kernel not that file"
    )]
    MissingFile {
        /// The field of the configuration.
        field: &'static str,
        /// The control file.
        file: String,
        /// Its controller.
        controller: Controller,
    },
    /// A list of device rules that version 1 cannot hold.
    #[error(
        "linux.resources.devices: '{rule}' takes away a part of an earlier rule, which version 1 cannot express; order the rules otherwise"
    )]
    DeviceOverlap {
        /// The rule.
        rule: String,
    },
    /// A process cannot be signalled.
    #[error("cannot signal process {pid}")]
    Signal {
        /// The process.
        pid: i32,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A group did not come to rest.
    #[error("{path} is not {state} after {seconds} s; a process in it hangs in the kernel")]
    Unfrozen {
        /// The group's directory.
        path: PathBuf,
        /// The state that was wanted.
        state: &'static str,
        /// How long it was waited for.
        seconds: u64,
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
    /// Notices of the kernel cannot be had.
    #[error("cannot watch {path}")]
    Watch {
        /// The control file.
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
