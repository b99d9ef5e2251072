//! Names and properties of scopes (systemd.scope(5), systemd.resource-control(5), org.freedesktop.systemd1(5)).

use oci_spec::runtime::LinuxResources;

use super::wire::{Properties, Value};
use crate::Error;
use crate::path::UnitPath;
use crate::resources::{quota_per_second, weight_of};

/// The name of the scope: `prefix-name.scope`.
pub(super) fn name(unit: &UnitPath) -> String {
    match unit.prefix.as_str() {
        "" => format!("{}.scope", unit.name),
        prefix => format!("{prefix}-{}.scope", unit.name),
    }
}

/// The slice that a unit is in.
pub(super) fn slice(unit: &UnitPath) -> &str {
    match unit.slice.as_str() {
        "" if rustix::process::geteuid().is_root() => "system.slice",
        "" => "user.slice",
        slice => slice,
    }
}

/// Where a slice's group is: `a-b.slice` is in `a.slice` ("Naming" of systemd.slice(5)). `-.slice` is the root.
pub(super) fn expand(slice: &str) -> Result<String, Error> {
    let error = || Error::UnitPath { path: slice.to_owned() };
    let stem = slice.strip_suffix(".slice").filter(|stem| !stem.is_empty() && !stem.contains('/')).ok_or_else(error)?;
    if stem == "-" {
        return Ok(String::new());
    }
    let (mut path, mut name) = (String::new(), String::new());
    for part in stem.split('-') {
        if part.is_empty() {
            return Err(error());
        }
        name = if name.is_empty() { part.to_owned() } else { format!("{name}-{part}") };
        path.push_str(&format!("{name}.slice/"));
    }
    Ok(path)
}

/// The properties of a new scope that holds one process.
pub(super) fn properties(unit: &UnitPath, pid: u32, limits: Properties) -> Properties {
    let mut properties = vec![
        ("Description", Value::Text(format!("container {}", unit.name))),
        ("Slice", Value::Text(slice(unit).to_owned())),
        ("PIDs", Value::U32s(vec![pid])),
        ("Delegate", Value::Bool(true)),
        ("DefaultDependencies", Value::Bool(false)),
        ("CPUAccounting", Value::Bool(true)),
        ("MemoryAccounting", Value::Bool(true)),
        ("IOAccounting", Value::Bool(true)),
        ("TasksAccounting", Value::Bool(true)),
    ];
    properties.extend(limits);
    properties
}

/// The limits that systemd knows. It would undo at its next reload what is written to files alone; the others it leaves alone.
pub(super) fn limits(resources: &LinuxResources, version_2: bool) -> Properties {
    let mut out = Properties::new();
    // Without a sign -1 is the largest number, which is what systemd calls infinity.
    let mut limit = |name, value: Option<i64>| {
        out.extend(value.filter(|value| *value != 0).map(|value| (name, Value::U64(value.max(-1) as u64))));
    };
    if let Some(memory) = resources.memory() {
        limit(if version_2 { "MemoryMax" } else { "MemoryLimit" }, memory.limit());
        if version_2 {
            limit("MemoryLow", memory.reservation());
            let swap = memory.swap().zip(memory.limit()).map(|(swap, limit)| if swap < 0 { -1 } else { swap - limit });
            out.extend(swap.filter(|swap| *swap >= -1).map(|swap| ("MemorySwapMax", Value::U64(swap as u64))));
        }
    }
    if let Some(pids) = resources.pids() {
        let count = if pids.limit() > 0 { pids.limit() as u64 } else { u64::MAX };
        out.push(("TasksMax", Value::U64(count)));
    }
    if let Some(cpu) = resources.cpu() {
        if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
            out.push(if version_2 {
                ("CPUWeight", Value::U64(weight_of(shares)))
            } else {
                ("CPUShares", Value::U64(shares))
            });
        }
        out.extend(cpu.period().filter(|period| *period != 0).map(|period| ("CPUQuotaPeriodUSec", Value::U64(period))));
        out.extend(quota_per_second(cpu).map(|quota| ("CPUQuotaPerSecUSec", Value::U64(quota))));
        for (name, list) in [("AllowedCPUs", cpu.cpus()), ("AllowedMemoryNodes", cpu.mems())] {
            out.extend(list.as_deref().and_then(bits).map(|bits| (name, Value::Bytes(bits))));
        }
    }
    out
}

/// A list of cpuset(7) as systemd takes it: one bit for each.
fn bits(list: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for part in list.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        for number in first..=last {
            let at = usize::from(number / 8);
            bits.resize(bits.len().max(at + 1), 0);
            bits[at] |= 1 << (number % 8);
        }
    }
    (!bits.is_empty()).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let unit =
            |slice: &str, prefix: &str| UnitPath { slice: slice.into(), prefix: prefix.into(), name: "x".into() };
        assert_eq!(name(&unit("", "libpod")), "libpod-x.scope");
        assert_eq!(name(&unit("", "")), "x.scope");
        assert_eq!(expand("machine.slice").unwrap(), "machine.slice/");
        assert_eq!(expand("a-b-c.slice").unwrap(), "a.slice/a-b.slice/a-b-c.slice/");
        assert_eq!(expand("-.slice").unwrap(), "");
        for bad in ["", ".slice", "a", "a/b.slice", "a--b.slice", "-a.slice", "a-.slice"] {
            assert!(expand(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_as_systemd_names_them() {
        let json = r#"{ "memory": { "limit": 1000, "swap": 3000, "reservation": 10 }, "pids": { "limit": -1 },
            "cpu": { "shares": 1024, "quota": 50000, "period": 100000, "cpus": "0-1,9" } }"#;
        let resources: LinuxResources = serde_json::from_str(json).unwrap();
        let limits = limits(&resources, true);
        let find = |name| limits.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
        assert_eq!(find("MemoryMax"), Some(Value::U64(1000)));
        assert_eq!(find("MemorySwapMax"), Some(Value::U64(2000)));
        assert_eq!(find("TasksMax"), Some(Value::U64(u64::MAX)));
        assert_eq!(find("CPUWeight"), Some(Value::U64(100)));
        assert_eq!(find("CPUQuotaPerSecUSec"), Some(Value::U64(500_000)));
        assert_eq!(find("AllowedCPUs"), Some(Value::Bytes(vec![3, 2])));
    }
}
