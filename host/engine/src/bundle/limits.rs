//! `linux.resources` → the limits that every level knows.

use oci_spec::runtime::{LinuxCpu, LinuxResources};
use plan::Resources;

/// The kernel's default period in microseconds (`cpu.cfs_period_us`).
const PERIOD: u64 = 100_000;

pub(super) fn resources(spec: Option<&LinuxResources>) -> Resources {
    let Some(spec) = spec else { return Resources::default() };
    let cpu = spec.cpu().as_ref();
    Resources {
        memory: spec.memory().as_ref().and_then(|memory| positive(memory.limit())),
        cpu_millis: cpu.and_then(cpu_millis),
        cpuset: cpu.and_then(|cpu| cpu.cpus().clone()).filter(|list| !list.is_empty()),
        pids: spec
            .pids()
            .as_ref()
            .and_then(|pids| positive(Some(pids.limit())))
            .map(|n| n.try_into().unwrap_or(u32::MAX)),
    }
}

/// Zero and negative numbers mean: no limit.
fn positive(value: Option<i64>) -> Option<u64> {
    value.filter(|value| *value > 0).map(i64::unsigned_abs)
}

/// A quota of a period as thousandths of a CPU, at least one.
fn cpu_millis(cpu: &LinuxCpu) -> Option<u32> {
    let quota = positive(cpu.quota())?;
    let period = cpu.period().filter(|period| *period > 0).unwrap_or(PERIOD);
    let millis = (u128::from(quota) * 1000 / u128::from(period)).max(1);
    Some(millis.try_into().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: serde_json::Value) -> Resources {
        resources(Some(&serde_json::from_value(json).unwrap()))
    }

    #[test]
    fn limits_are_translated() {
        let all = of(serde_json::json!({
            "memory": {"limit": 1 << 28}, "pids": {"limit": 64}, "cpu": {"quota": 50_000, "period": 100_000, "cpus": "0-1"}
        }));
        assert_eq!((all.memory, all.pids, all.cpu_millis), (Some(1 << 28), Some(64), Some(500)));
        assert_eq!(all.cpuset.as_deref(), Some("0-1"));
    }

    #[test]
    fn no_limit_has_several_spellings() {
        let none = of(serde_json::json!({
            "memory": {"limit": -1}, "pids": {"limit": 0}, "cpu": {"quota": -1, "period": 0, "cpus": ""}
        }));
        assert_eq!(none, Resources::default());
        let tiny = of(serde_json::json!({"cpu": {"quota": 1, "period": 1_000_000}}));
        assert_eq!(tiny.cpu_millis, Some(1));
    }
}
