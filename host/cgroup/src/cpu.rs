//! The CPU controller: bandwidth in CPU time per period.

use crate::Error;
use crate::files::Directory;

/// Quota and period in microseconds for thousandths of a CPU.
///
/// The kernel takes no quota below 1 ms, so very small shares use a longer period than the usual 100 ms.
fn bandwidth(millis: u32) -> (u64, u64) {
    let period: u64 = if millis < 10 { 1_000_000 } else { 100_000 };
    (u64::from(millis) * period / 1000, period)
}

/// `cpu.cfs_period_us` and `cpu.cfs_quota_us` (sched-bwc.rst).
pub(crate) fn limit_v1(group: &Directory, millis: u32) -> Result<(), Error> {
    let (quota, period) = bandwidth(millis);
    group.write("cpu.cfs_period_us", &period.to_string())?;
    group.write("cpu.cfs_quota_us", &quota.to_string())
}

/// `cpu.max` (cgroup-v2.rst).
pub(crate) fn limit_v2(group: &Directory, millis: u32) -> Result<(), Error> {
    let (quota, period) = bandwidth(millis);
    group.write("cpu.max", &format!("{quota} {period}"))
}

/// Nanoseconds of CPU time used, from `cpu.stat` of version 2, which needs no controller.
pub(crate) fn usage_v2(group: &Directory) -> Option<u64> {
    let text = group.read("cpu.stat").ok()?;
    let microseconds: u64 = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse().ok())?;
    Some(microseconds * 1000)
}

/// Nanoseconds of CPU time used, from `cpuacct.usage` of version 1.
pub(crate) fn usage_v1(group: &Directory) -> Option<u64> {
    group.read_number("cpuacct.usage")
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
