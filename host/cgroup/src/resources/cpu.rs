//! `linux.resources.cpu` without its sets: sched-bwc.rst, "CPU" of cgroup-v2.rst.

use oci_spec::runtime::LinuxCpu;
use rustix::io::Errno;

use super::{Need, strongest};
use crate::files::Directory;
use crate::group::Place;
use crate::{Controller, Error};

const SHARES: &str = "linux.resources.cpu.shares";
const QUOTA: &str = "linux.resources.cpu.quota";
const PERIOD: &str = "linux.resources.cpu.period";
const BURST: &str = "linux.resources.cpu.burst";
const RT_RUNTIME: &str = "linux.resources.cpu.realtimeRuntime";
const RT_PERIOD: &str = "linux.resources.cpu.realtimePeriod";
const IDLE: &str = "linux.resources.cpu.idle";

pub(super) fn need(cpu: &LinuxCpu) -> Option<Need> {
    let set = |value: Option<u64>| value.filter(|value| *value != 0).map(|_| true);
    strongest(
        Controller::Cpu,
        &[
            (SHARES, set(cpu.shares())),
            (QUOTA, cpu.quota().filter(|quota| *quota != 0).map(|quota| quota > 0)),
            (PERIOD, set(cpu.period())),
            (BURST, cpu.burst().map(|burst| burst > 0)),
            (RT_RUNTIME, cpu.realtime_runtime().filter(|runtime| *runtime != 0).map(|_| true)),
            (RT_PERIOD, set(cpu.realtime_period())),
            (IDLE, cpu.idle().map(|idle| idle != 0)),
        ],
    )
}

pub(super) fn apply(place: Place<'_>, cpu: &LinuxCpu) -> Result<(), Error> {
    if let Some(idle) = cpu.idle().filter(|idle| !matches!(idle, 0 | 1)) {
        return Err(Error::Value { field: IDLE, value: idle.to_string(), reason: "it is 0 or 1" });
    }
    match place {
        Place::V1(group) => apply_v1(group, cpu),
        Place::V2(group) => apply_v2(group, cpu),
    }
}

fn apply_v1(group: &Directory, cpu: &LinuxCpu) -> Result<(), Error> {
    let shares = || match cpu.shares().filter(|shares| *shares != 0) {
        Some(shares) => group.set(SHARES, "cpu.shares", &shares.to_string()),
        None => Ok(()),
    };
    idle(group, cpu, shares)?;
    let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0);
    let period = cpu.realtime_period().filter(|period| *period != 0);
    pair(
        group,
        (RT_PERIOD, "cpu.rt_period_us", period.map(|period| period.to_string())),
        (RT_RUNTIME, "cpu.rt_runtime_us", runtime.map(|runtime| runtime.to_string())),
    )?;
    let bandwidth = || {
        pair(
            group,
            (PERIOD, "cpu.cfs_period_us", cpu.period().filter(|period| *period != 0).map(|period| period.to_string())),
            (QUOTA, "cpu.cfs_quota_us", cpu.quota().filter(|quota| *quota != 0).map(|quota| quota.max(-1).to_string())),
        )
    };
    burst(group, "cpu.cfs_burst_us", cpu, bandwidth)
}

type Setting = (&'static str, &'static str, Option<String>);

/// The kernel checks each of two settings against the other's present value, so one order may be refused and the other not.
fn pair(group: &Directory, first: Setting, second: Setting) -> Result<(), Error> {
    let set = |(field, file, value): &Setting| value.as_ref().map_or(Ok(()), |value| group.set(field, file, value));
    if let (Some(value), Some(_)) = (&first.2, &second.2)
        && group.try_write(first.1, value) == Err(Errno::INVAL)
    {
        set(&second)?;
        return set(&first);
    }
    set(&first)?;
    set(&second)
}

/// An idle group has no weight, and only one that is not idle takes one.
fn idle(group: &Directory, cpu: &LinuxCpu, weight: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    let value = cpu.idle().map(|idle| idle.to_string());
    match value.as_deref() {
        // A kernel before 5.15 has no idle groups, which is what 0 asks for.
        Some("0") if !group.has("cpu.idle") => weight(),
        Some("0") => {
            group.set(IDLE, "cpu.idle", "0")?;
            weight()
        }
        Some(value) => {
            if group.read_number("cpu.idle") != Some(1) {
                weight()?;
            }
            group.set(IDLE, "cpu.idle", value)
        }
        None => weight(),
    }
}

/// The burst is never more than the quota: it goes down before a quota does, and up after.
fn burst(
    group: &Directory,
    file: &'static str,
    cpu: &LinuxCpu,
    bandwidth: impl Fn() -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(value) = cpu.burst() else { return bandwidth() };
    let text = value.to_string();
    if value == 0 && !group.has(file) {
        return bandwidth();
    }
    if group.read_number(file).is_some_and(|now| value < now) {
        group.set(BURST, file, &text)?;
        return bandwidth();
    }
    bandwidth()?;
    group.set(BURST, file, &text)
}

fn apply_v2(group: &Directory, cpu: &LinuxCpu) -> Result<(), Error> {
    for (field, value) in [
        (RT_RUNTIME, cpu.realtime_runtime().map(|runtime| runtime.to_string())),
        (RT_PERIOD, cpu.realtime_period().map(|period| period.to_string())),
    ] {
        if let Some(value) = value.filter(|value| value != "0") {
            let reason = "version 2 has no real-time limits; leave it out";
            return Err(Error::Value { field, value, reason });
        }
    }
    idle(group, cpu, || match cpu.shares().filter(|shares| *shares != 0) {
        Some(shares) => group.set(SHARES, "cpu.weight", &weight_of(shares).to_string()),
        None => Ok(()),
    })?;
    burst(group, "cpu.max.burst", cpu, || bandwidth_v2(group, cpu))
}

/// `cpu.max` holds both; what was not given stays.
fn bandwidth_v2(group: &Directory, cpu: &LinuxCpu) -> Result<(), Error> {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    if quota.is_none() && period.is_none() {
        return Ok(());
    }
    let quota_text = match quota {
        Some(quota) if quota > 0 => quota.to_string(),
        Some(_) => "max".to_owned(),
        None => group.read("cpu.max")?.split_ascii_whitespace().next().unwrap_or("max").to_owned(),
    };
    let value = period.map_or(quota_text.clone(), |period| format!("{quota_text} {period}"));
    group.set(if quota.is_some() { QUOTA } else { PERIOD }, "cpu.max", &value)
}

/// Shares (2 to 262144, 1024 by default) as a weight (1 to 10000, 100 by default).
///
/// The quadratic function through the three pairs in logarithms, which runc and crun use since 2025: the linear one before gave
/// the default of one the weight 39 of the other.
pub(crate) fn weight_of(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        shares => {
            let power = (shares as f64).log2();
            let exponent = (power * power + 125.0 * power) / 612.0 - 7.0 / 34.0;
            // 1024 would become 101 if the last bits of the sum were rounded up.
            (10f64.powf(exponent) - 1e-9).ceil() as u64
        }
    }
}

/// The quota as systemd counts it: microseconds of CPU time for each second, in steps of one per cent of a CPU; the largest
/// number is none.
pub(crate) fn quota_per_second(cpu: &LinuxCpu) -> Option<u64> {
    const STEP: u64 = 10_000;
    match cpu.quota()? {
        0 => None,
        quota if quota < 0 => Some(u64::MAX),
        quota => {
            let period = cpu.period().filter(|period| *period != 0).unwrap_or(100_000);
            let exact = quota.unsigned_abs().saturating_mul(1_000_000).div_ceil(period);
            Some(exact.div_ceil(STEP).saturating_mul(STEP))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        for (shares, weight) in [(1, 1), (2, 1), (1024, 100), (262_144, 10_000), (u64::MAX, 10_000)] {
            assert_eq!(weight_of(shares), weight, "{shares}");
        }
        assert!((2..262_144).step_by(37).is_sorted_by_key(weight_of));
    }
}
