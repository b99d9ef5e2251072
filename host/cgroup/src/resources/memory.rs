//! `linux.resources.memory`: memory.txt of cgroup-v1, "Memory" of cgroup-v2.rst.
#![allow(deprecated, reason = "`kernel` is deprecated in the specification, and still in configurations")]

use oci_spec::runtime::LinuxMemory;
use rustix::io::Errno;

use super::{Need, or_max, strongest};
use crate::files::Directory;
use crate::group::{Place, Warning};
use crate::{Controller, Error};

const LIMIT: &str = "linux.resources.memory.limit";
const RESERVATION: &str = "linux.resources.memory.reservation";
const SWAP: &str = "linux.resources.memory.swap";
const KERNEL: &str = "linux.resources.memory.kernel";
const KERNEL_TCP: &str = "linux.resources.memory.kernelTCP";
const SWAPPINESS: &str = "linux.resources.memory.swappiness";
const OOM: &str = "linux.resources.memory.disableOOMKiller";
const HIERARCHY: &str = "linux.resources.memory.useHierarchy";

pub(super) fn need(memory: &LinuxMemory) -> Option<Need> {
    // 0 is "not set" for every runtime, -1 is "no limit".
    let limit = |value: Option<i64>| value.filter(|value| *value != 0).map(|value| value > 0);
    strongest(
        Controller::Memory,
        &[
            (LIMIT, limit(memory.limit())),
            (RESERVATION, limit(memory.reservation())),
            (SWAP, limit(memory.swap())),
            (KERNEL, memory.kernel().map(|_| false)),
            (KERNEL_TCP, memory.kernel_tcp().map(|_| false)),
            (SWAPPINESS, memory.swappiness().map(|_| true)),
            (OOM, memory.disable_oom_killer().filter(|disable| *disable)),
            (HIERARCHY, memory.use_hierarchy().map(|_| false)),
        ],
    )
}

pub(super) fn apply(place: Place<'_>, memory: &LinuxMemory, warnings: &mut Vec<Warning>) -> Result<(), Error> {
    let wanted = Wanted::of(memory)?;
    match place {
        Place::V1(group) => apply_v1(group, memory, wanted, warnings),
        Place::V2(group) => apply_v2(group, memory, wanted, warnings),
    }
}

/// Limits of memory, and of memory with swap; negative for none.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    memory: Option<i64>,
    with_swap: Option<i64>,
}

impl Wanted {
    fn of(memory: &LinuxMemory) -> Result<Self, Error> {
        let set = |value: Option<i64>| value.filter(|value| *value != 0);
        let (limit, with_swap) = (set(memory.limit()), set(memory.swap()));
        // No limit of memory means none of memory with swap.
        let with_swap = with_swap.or(limit.filter(|limit| *limit < 0));
        if let (Some(limit @ 1..), Some(swap @ 1..)) = (limit, with_swap)
            && swap < limit
        {
            let reason = "it counts memory and swap together, so it cannot be less than linux.resources.memory.limit";
            return Err(Error::Value { field: SWAP, value: swap.to_string(), reason });
        }
        Ok(Self { memory: limit, with_swap })
    }
}

/// A limit below what is used would make the kernel reclaim and kill.
fn check_use(group: &Directory, file: &str, memory: &LinuxMemory) -> Result<(), Error> {
    let (Some(limit @ 1..), Some(true)) = (memory.limit(), memory.check_before_update()) else { return Ok(()) };
    match group.read_number(file) {
        Some(used) if used > limit.unsigned_abs() => Err(Error::Value {
            field: LIMIT,
            value: limit.to_string(),
            reason: "it is less than the memory in use, and checkBeforeUpdate is set",
        }),
        _ => Ok(()),
    }
}

const MEMORY_V1: &str = "memory.limit_in_bytes";
const WITH_SWAP_V1: &str = "memory.memsw.limit_in_bytes";

fn apply_v1(group: &Directory, memory: &LinuxMemory, wanted: Wanted, warnings: &mut Vec<Warning>) -> Result<(), Error> {
    check_use(group, "memory.usage_in_bytes", memory)?;
    limit_v1(group, wanted)?;
    if let Some(value) = memory.reservation().filter(|value| *value != 0) {
        group.set(RESERVATION, "memory.soft_limit_in_bytes", &value.to_string())?;
    }
    obsolete(group, KERNEL, "memory.kmem.limit_in_bytes", memory.kernel(), warnings)?;
    obsolete(group, KERNEL_TCP, "memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp(), warnings)?;
    if let Some(value) = memory.swappiness() {
        if value > 100 {
            return Err(Error::Value { field: SWAPPINESS, value: value.to_string(), reason: "it is 0 to 100" });
        }
        group.set(SWAPPINESS, "memory.swappiness", &value.to_string())?;
    }
    if let Some(disable) = memory.disable_oom_killer() {
        group.set(OOM, "memory.oom_control", if disable { "1" } else { "0" })?;
    }
    // Since Linux 5.11 every group is hierarchical.
    if memory.use_hierarchy() == Some(true) && group.has("memory.use_hierarchy") {
        group.set(HIERARCHY, "memory.use_hierarchy", "1")?;
    }
    Ok(())
}

/// The kernel refuses any state in which memory may be more than memory with swap: so the order depends on the present ones.
fn limit_v1(group: &Directory, wanted: Wanted) -> Result<(), Error> {
    let memory = || wanted.memory.map_or(Ok(()), |value| group.set(LIMIT, MEMORY_V1, &value.to_string()));
    let with_swap = || match wanted.with_swap {
        Some(value) => with_swap_v1(group, value, wanted.memory),
        None => Ok(()),
    };
    let grows = wanted.with_swap.is_some_and(|value| {
        // A negative value, none, is the largest.
        group.read_number(WITH_SWAP_V1).is_some_and(|now| now < value as u64)
    });
    if grows {
        with_swap()?;
        return memory();
    }
    memory()?;
    with_swap()
}

fn with_swap_v1(group: &Directory, value: i64, memory: Option<i64>) -> Result<(), Error> {
    match group.try_write(WITH_SWAP_V1, &value.to_string()) {
        // Swap is not counted here. No swap on top of the limit is then a wish without a way to carry it out, not a limit.
        Err(Errno::NOENT) if value < 0 || Some(value) == memory => Ok(()),
        other => other.map_err(|errno| group.refused(SWAP, WITH_SWAP_V1, &value.to_string(), errno)),
    }
}

/// Limits that newer kernels have given up.
fn obsolete(
    group: &Directory,
    field: &'static str,
    file: &str,
    value: Option<i64>,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    /// The kernel's ENOTSUPP, which is not for user space and gets there all the same.
    const NOT_SUPPORTED: i32 = 524;
    let Some(value) = value.filter(|value| *value != 0) else { return Ok(()) };
    match group.try_write(file, &value.to_string()) {
        Ok(()) => Ok(()),
        Err(errno) if matches!(errno, Errno::NOENT | Errno::OPNOTSUPP) || errno.raw_os_error() == NOT_SUPPORTED => {
            warnings.push(Warning { field, reason: "this kernel no longer has such a limit".to_owned() });
            Ok(())
        }
        Err(errno) => Err(group.refused(field, file, &value.to_string(), errno)),
    }
}

fn apply_v2(group: &Directory, memory: &LinuxMemory, wanted: Wanted, warnings: &mut Vec<Warning>) -> Result<(), Error> {
    if let Some(value) = memory.swappiness() {
        let reason = "version 2 has no swappiness for a group; leave it out";
        return Err(Error::Value { field: SWAPPINESS, value: value.to_string(), reason });
    }
    if memory.disable_oom_killer() == Some(true) {
        let reason = "version 2 cannot do without the OOM killer; leave it out";
        return Err(Error::Value { field: OOM, value: "true".to_owned(), reason });
    }
    check_use(group, "memory.current", memory)?;
    let swap = swap_v2(group, wanted)?;
    if let Some(swap) = swap {
        match group.try_write("memory.swap.max", &or_max(swap)) {
            Err(Errno::NOENT) if swap <= 0 => {}
            other => other.map_err(|errno| group.refused(SWAP, "memory.swap.max", &or_max(swap), errno))?,
        }
    }
    if let Some(value) = wanted.memory {
        group.set(LIMIT, "memory.max", &or_max(value))?;
    }
    if let Some(value) = memory.reservation().filter(|value| *value != 0) {
        group.set(RESERVATION, "memory.low", &or_max(value))?;
    }
    for (field, value) in [(KERNEL, memory.kernel()), (KERNEL_TCP, memory.kernel_tcp())] {
        if value.is_some_and(|value| value != 0) {
            let reason = "version 2 counts kernel memory in linux.resources.memory.limit".to_owned();
            warnings.push(Warning { field, reason });
        }
    }
    Ok(())
}

/// Version 2 limits swap alone: what was asked for less the limit of memory, which may be the present one in an update.
fn swap_v2(group: &Directory, wanted: Wanted) -> Result<Option<i64>, Error> {
    let Some(with_swap) = wanted.with_swap else { return Ok(None) };
    if with_swap < 0 {
        return Ok(Some(-1));
    }
    let present = || group.read_number("memory.max").and_then(|bytes| i64::try_from(bytes).ok());
    match wanted.memory.filter(|limit| *limit > 0).or_else(present) {
        Some(limit) if limit <= with_swap => Ok(Some(with_swap - limit)),
        Some(_) => {
            let reason = "it counts memory and swap together, so it cannot be less than the present limit of memory";
            Err(Error::Value { field: SWAP, value: with_swap.to_string(), reason })
        }
        None => {
            let reason = "it counts memory and swap together, so it needs linux.resources.memory.limit";
            Err(Error::Value { field: SWAP, value: with_swap.to_string(), reason })
        }
    }
}
