//! The container's control group, as its state and configuration name it.

use std::os::fd::AsFd;
use std::path::Path;

use cgroup::{DevicePolicy, Group, GroupPath, Manager};
use oci_spec::runtime::{LinuxResources, Spec};

use crate::args::CgroupManager;
use crate::commands::Context;
use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Cgroups, Record};

/// Which kind of group `create` makes.
pub(crate) fn kind(context: &Context) -> Cgroups {
    match context.globals.cgroup_manager {
        CgroupManager::Disabled => Cgroups::Disabled,
        CgroupManager::Systemd => Cgroups::Systemd,
        CgroupManager::Cgroupfs if context.globals.systemd_cgroup => Cgroups::Systemd,
        CgroupManager::Cgroupfs => Cgroups::Cgroupfs,
    }
}

/// The group's name: the configuration's, or one from the container's.
pub(crate) fn path(id: &ContainerId, spec: &Spec) -> Result<GroupPath, Error> {
    let named = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref());
    Ok(match named.and_then(Path::to_str).filter(|path| !path.is_empty()) {
        Some(path) => GroupPath::parse(path)?,
        None => GroupPath::for_container(id.as_str())?,
    })
}

/// Makes the group of a new container.
pub(crate) fn create(context: &Context, path: &GroupPath, kind: Cgroups, spec: &Spec) -> Result<Group, Error> {
    let linux = spec.linux().as_ref();
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    let explicit = linux.is_some_and(|linux| linux.cgroups_path().is_some());
    let group = Group::create(path, manager(kind), resources, DevicePolicy::Rules, explicit)?;
    for warning in group.warnings() {
        context.log.debug(|| warning.to_string());
    }
    Ok(group)
}

/// Makes a group without limits and with every device, for a supervisor.
pub(crate) fn create_unlimited(context: &Context, path: &GroupPath, kind: Cgroups) -> Result<Group, Error> {
    let group = Group::create(path, manager(kind), None, DevicePolicy::Unrestricted, false)?;
    for warning in group.warnings() {
        context.log.debug(|| warning.to_string());
    }
    Ok(group)
}

fn manager(kind: Cgroups) -> Manager {
    match kind {
        Cgroups::Cgroupfs => Manager::Cgroupfs,
        Cgroups::Systemd => Manager::Systemd,
        Cgroups::Disabled => Manager::Disabled,
    }
}

/// The group of a container that exists; none if it was made without one.
pub(crate) fn open(record: &Record) -> Result<Option<Group>, Error> {
    match path_of(record)? {
        Some(path) => Ok(Some(Group::open(&path)?)),
        None => Ok(None),
    }
}

fn path_of(record: &Record) -> Result<Option<GroupPath>, Error> {
    match &record.cgroup {
        Some(path) if record.cgroups != Cgroups::Disabled => Ok(Some(GroupPath::parse(path)?)),
        _ => Ok(None),
    }
}

pub(crate) fn required(record: &Record, operation: &'static str) -> Result<Group, Error> {
    open(record)?.ok_or(Error::Cgroup(cgroup::Error::Disabled { operation }))
}

/// The group that a further program joins: the container's, or one below it.
pub(crate) fn open_for_exec(record: &Record, below: &[String]) -> Result<Group, Error> {
    let Some(path) = path_of(record)? else {
        // A container without one: a group in name only.
        let path = GroupPath::for_container(record.id.as_str())?;
        return Ok(Group::create(&path, Manager::Disabled, None, DevicePolicy::Unrestricted, false)?);
    };
    let group = Group::open(&path)?;
    let Some(below) = below.first() else { return Ok(group) };
    // The path is the same in every hierarchy, so the controllers in front of it choose nothing.
    let below = below.rsplit_once(':').map_or(below.as_str(), |(_, path)| path);
    let group = Group::open(&GroupPath::parse(&format!("{}/{below}", group.path()))?)?;
    if group.directories().next().is_none() {
        return Err(Error::Usage("--cgroup: there is no such control group below the container's"));
    }
    Ok(group)
}

pub(crate) fn is_paused(record: &Record) -> Result<bool, Error> {
    Ok(open(record)?.is_some_and(|group| group.frozen()))
}

pub(crate) fn freeze(record: &Record, frozen: bool) -> Result<(), Error> {
    Ok(required(record, if frozen { "pause" } else { "resume" })?.freeze(frozen)?)
}

/// Lets the processes go on if they are suspended.
pub(crate) fn thaw(record: &Record) -> Result<(), Error> {
    match open(record)? {
        Some(group) if group.frozen() => Ok(group.freeze(false)?),
        _ => Ok(()),
    }
}

pub(crate) fn processes(record: &Record) -> Result<Vec<i32>, Error> {
    Ok(open(record)?.map(|group| group.processes(true)).unwrap_or_default())
}

/// Sends a signal to every process of the group; false if there is none.
pub(crate) fn signal_all(record: &Record, signal: i32) -> Result<bool, Error> {
    let Some(group) = open(record)? else { return Ok(false) };
    let pids = group.processes(true);
    if pids.is_empty() {
        return Ok(false);
    }
    if signal == libc::SIGKILL {
        group.kill()?;
        return Ok(true);
    }
    for pid in pids {
        // One that has ended meanwhile needs no signal.
        if let Some(pid) = rustix::process::Pid::from_raw(pid)
            && let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        {
            let _ = jail::send_signal(pidfd.as_fd(), signal);
        }
    }
    Ok(true)
}

/// Ends what is left in the group and removes it.
pub(crate) fn remove(record: &Record) -> Result<(), Error> {
    match path_of(record)? {
        Some(path) => Ok(Group::open(&path)?.remove()?),
        None => Ok(()),
    }
}

/// Removes the group that a container has if its configuration names none: all that can be told without a state.
pub(crate) fn remove_default(id: &ContainerId) -> Result<(), Error> {
    Ok(Group::open(&GroupPath::for_container(id.as_str())?)?.remove()?)
}

pub(crate) fn update(context: &Context, record: &Record, resources: &LinuxResources) -> Result<(), Error> {
    for warning in required(record, "update")?.update(resources)? {
        context.log.warn(&warning.to_string());
    }
    Ok(())
}
