//! The memory controller. The limit is on memory alone: an instance gets no swap on top.

use crate::Error;
use crate::files::Directory;

/// `memory.limit_in_bytes` and, if swap is accounted, `memory.memsw.limit_in_bytes` (memory.txt of cgroup-v1).
pub(crate) fn limit_v1(group: &Directory, bytes: u64) -> Result<(), Error> {
    let value = bytes.to_string();
    group.write("memory.limit_in_bytes", &value)?;
    group.write_if_exists("memory.memsw.limit_in_bytes", &value).map(drop)
}

/// `memory.max` and `memory.swap.max` (cgroup-v2.rst).
pub(crate) fn limit_v2(group: &Directory, bytes: u64) -> Result<(), Error> {
    group.write("memory.max", &bytes.to_string())?;
    group.write_if_exists("memory.swap.max", "0").map(drop)
}

/// Bytes in use, version 1.
pub(crate) fn usage_v1(group: &Directory) -> Option<u64> {
    group.read_number("memory.usage_in_bytes")
}

/// Bytes in use, version 2.
pub(crate) fn usage_v2(group: &Directory) -> Option<u64> {
    group.read_number("memory.current")
}

/// How many processes the kernel killed because the limit was reached.
pub(crate) fn oom_kills(group: &Directory, version_2: bool) -> Option<u64> {
    let text = group.read(if version_2 { "memory.events" } else { "memory.oom_control" }).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}
