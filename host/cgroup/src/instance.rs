//! The groups of the engine's instances, by their ids.

use std::collections::BTreeSet;
use std::ops::Deref;

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};
use plan::{InstanceId, Resources};

use crate::layout::{Layout, PARENT};
use crate::{DevicePolicy, Error, Group, GroupPath, Manager, remove};

/// Which devices an instance may make and open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// All that its files and capabilities allow: for our own monitors, which open what they need.
    Unrestricted,
    /// What Docker gives a container: making any node; using null, zero, full, random, urandom and terminals.
    ContainerDefault,
}

/// The control groups of one instance: a [`Group`] with the engine's name for it.
#[derive(Debug)]
pub struct Cgroup(Group);

impl Cgroup {
    /// Makes the groups of an instance with these limits.
    ///
    /// # Errors
    /// As [`Group::create`].
    pub fn create(id: &InstanceId, resources: &Resources, devices: Devices) -> Result<Self, Error> {
        let policy = match devices {
            Devices::Unrestricted => DevicePolicy::Unrestricted,
            Devices::ContainerDefault => DevicePolicy::Rules,
        };
        let path = GroupPath::for_instance(id);
        Group::create(&path, Manager::Cgroupfs, Some(&limits(resources)), policy, false).map(Self)
    }

    /// Opens the groups that an instance has; those of an instance that has none are empty.
    ///
    /// # Errors
    /// As [`Group::open`].
    pub fn open(id: &InstanceId) -> Result<Self, Error> {
        Group::open(&GroupPath::for_instance(id)).map(Self)
    }

    /// The ids of the group's processes.
    pub fn processes(&self) -> Vec<i32> {
        self.0.processes(false)
    }
}

impl Deref for Cgroup {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.0
    }
}

/// The limits of a launch as the specification writes them. The limit of memory is also that of memory with swap.
fn limits(resources: &Resources) -> LinuxResources {
    let mut limits = LinuxResources::default();
    if let Some(bytes) = resources.memory {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        limits.set_memory(Some(*LinuxMemory::default().set_limit(Some(bytes)).set_swap(Some(bytes))));
    }
    let mut cpu = LinuxCpu::default();
    if let Some(millis) = resources.cpu_millis {
        let (quota, period) = bandwidth(millis);
        cpu.set_quota(Some(quota)).set_period(Some(period));
    }
    cpu.set_cpus(resources.cpuset.clone());
    limits.set_cpu(Some(cpu));
    limits.set_pids(resources.pids.map(|count| *LinuxPids::default().set_limit(i64::from(count))));
    limits
}

/// Quota and period in microseconds for thousandths of a CPU.
///
/// The kernel takes no quota below 1 ms, so very small shares use a longer period than the usual 100 ms.
fn bandwidth(millis: u32) -> (i64, u64) {
    let period: u64 = if millis < 10 { 1_000_000 } else { 100_000 };
    (i64::from(millis) * period as i64 / 1000, period)
}

/// Removes every group of an instance, in all hierarchies, killing what still runs in them. Nothing there is fine.
///
/// # Errors
/// As [`Group::remove`].
pub fn destroy(id: &InstanceId) -> Result<(), Error> {
    remove::remove_path(Layout::current()?, GroupPath::for_instance(id).below())
}

/// The instances that have a group in any hierarchy, also those that nobody remembers.
///
/// # Errors
/// As [`Layout::detect`].
pub fn list() -> Result<Vec<InstanceId>, Error> {
    let layout = Layout::current()?;
    let mut found = BTreeSet::new();
    for root in layout.roots() {
        // A hierarchy without our directory has none of our groups.
        let Ok(entries) = std::fs::read_dir(root.join(PARENT)) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        found.extend(names.filter_map(|name| name.parse::<InstanceId>().ok()));
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::bandwidth;

    #[test]
    fn quotas_are_never_below_a_millisecond() {
        assert_eq!(bandwidth(1500), (150_000, 100_000));
        assert_eq!(bandwidth(10), (1_000, 100_000));
        assert_eq!(bandwidth(1), (1_000, 1_000_000));
    }
}
