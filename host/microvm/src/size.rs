//! How large the virtual machine is.

use plan::{LaunchPlan, Resources};

use crate::Error;

const MIB: u64 = 1 << 20;

/// Without `-m`: enough for a server of moderate size, and a quarter of what other runtimes force on their users.
const DEFAULT_MEMORY: u64 = 256;

/// Below this Debian's cloud kernel does not come up.
const MINIMUM_MEMORY: u64 = 96;

/// What that kernel takes for itself (text, data, page structures), of the virtual machine's memory.
const KERNEL_MEMORY: u64 = 60;

/// Without `--cpus`: at most so many virtual CPUs. Each costs start time and memory.
const DEFAULT_CPUS: u32 = 2;

/// More virtual CPUs than this machine type has.
const MAX_CPUS: u32 = 255;

/// What the plan makes of the virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Memory in MiB.
    pub(crate) memory: u64,
    /// Virtual CPUs.
    pub(crate) cpus: u32,
}

impl Size {
    /// `-m` is the size of the virtual machine, its kernel included; `--cpus` is rounded up.
    pub(crate) fn of(resources: &Resources, host_cpus: u32) -> Result<Self, Error> {
        let memory = resources.memory.map_or(DEFAULT_MEMORY, |bytes| bytes / MIB);
        if memory < MINIMUM_MEMORY {
            return Err(Error::Memory { minimum: MINIMUM_MEMORY, kernel: KERNEL_MEMORY, asked: memory });
        }
        let usable = match &resources.cpuset {
            Some(list) => count_cpus(list).ok_or_else(|| Error::Cpuset(list.clone()))?,
            None => host_cpus,
        };
        let cpus = match resources.cpu_millis {
            Some(millis) => millis.div_ceil(1000),
            None => usable.min(DEFAULT_CPUS),
        };
        Ok(Self { memory, cpus: cpus.clamp(1, MAX_CPUS) })
    }
}

/// How many CPUs a list of cpuset(7) names; `None` if it is none.
fn count_cpus(list: &str) -> Option<u32> {
    list.trim().split(',').try_fold(0u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// Refuses what this level cannot do.
pub(crate) fn check(plan: &LaunchPlan) -> Result<(), Error> {
    if plan.trace_syscalls { Err(Error::Trace) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_limits() {
        let limits = |memory, cpu_millis, cpuset: Option<&str>| Resources {
            memory,
            cpu_millis,
            cpuset: cpuset.map(str::to_owned),
            pids: None,
        };
        assert_eq!(Size::of(&limits(None, None, None), 8).unwrap(), Size { memory: 256, cpus: 2 });
        assert_eq!(Size::of(&limits(None, None, None), 1).unwrap().cpus, 1);
        assert_eq!(Size::of(&limits(None, None, Some("3")), 8).unwrap().cpus, 1);
        assert_eq!(Size::of(&limits(Some(512 * MIB), Some(2500), None), 8).unwrap(), Size { memory: 512, cpus: 3 });
        assert!(matches!(Size::of(&limits(Some(MIB), None, None), 8), Err(Error::Memory { asked: 1, .. })));
        assert!(matches!(Size::of(&limits(None, None, Some("x")), 8), Err(Error::Cpuset(_))));
    }

    #[test]
    fn cpu_lists_are_counted() {
        for (list, count) in [("0", Some(1)), ("0-3,7", Some(5)), ("3-1", None), ("", None), ("0-4294967295", None)] {
            assert_eq!(count_cpus(list), count, "{list}");
        }
    }
}
