//! Limits in the terms of config-linux.md.

use std::os::unix::fs::MetadataExt as _;

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxDeviceCgroup, LinuxDeviceType, LinuxMemory, LinuxPids, LinuxResources,
    LinuxThrottleDevice, LinuxThrottleDeviceBuilder, LinuxWeightDeviceBuilder,
};
use plan::LaunchPlan;
use plan::options::{BlockDeviceLimit, DeviceRule, MoreLimits};
use rustix::fs::{major, minor};

use super::devices::Granted;
use crate::Error;

/// The period in microseconds that a quota in CPUs is divided by, as Docker's. The kernel takes no quota below 1 ms, so very
/// small shares have a longer one.
const fn period(millis: u32) -> u64 {
    if millis < 10 { 1_000_000 } else { 100_000 }
}

pub(super) fn resources(plan: &LaunchPlan, devices: &[Granted]) -> Result<LinuxResources, Error> {
    let (asked, limits) = (&plan.resources, &plan.options.limits);
    let mut resources = LinuxResources::default();
    resources.set_devices(device_rules(plan, devices));
    resources.set_memory(memory(asked, limits));
    resources.set_cpu(cpu(asked, limits));
    if let Some(pids) = asked.pids {
        let mut limit = LinuxPids::default();
        limit.set_limit(i64::from(pids));
        resources.set_pids(Some(limit));
    }
    resources.set_block_io(block_io(limits)?);
    Ok(resources)
}

fn memory(asked: &plan::Resources, limits: &MoreLimits) -> Option<LinuxMemory> {
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut memory = LinuxMemory::default();
    let empty = memory;
    memory.set_limit(asked.memory.map(size));
    // Without a word about it there is no swap, at any level.
    memory.set_swap(limits.memory_swap.or(asked.memory.map(size)));
    memory.set_reservation(limits.memory_reservation.map(size));
    memory.set_swappiness(limits.memory_swappiness);
    memory.set_disable_oom_killer(limits.oom_kill_disable.then_some(true));
    (memory != empty).then_some(memory)
}

fn cpu(asked: &plan::Resources, limits: &MoreLimits) -> Option<LinuxCpu> {
    let mut cpu = LinuxCpu::default();
    let empty = cpu.clone();
    cpu.set_shares(limits.cpu_shares);
    cpu.set_period(asked.cpu_millis.map(period).or(limits.cpu_period));
    let quota = |millis| i64::from(millis) * period(millis) as i64 / 1000;
    cpu.set_quota(asked.cpu_millis.map(quota).or(limits.cpu_quota));
    cpu.set_cpus(asked.cpuset.clone());
    cpu.set_mems(limits.cpuset_mems.clone());
    (cpu != empty).then_some(cpu)
}

fn block_io(limits: &MoreLimits) -> Result<Option<LinuxBlockIo>, Error> {
    let throttles = |list: &[BlockDeviceLimit]| -> Result<Option<Vec<LinuxThrottleDevice>>, Error> {
        let all = list.iter().map(|limit| {
            let (major, minor) = block_device(limit)?;
            let device = LinuxThrottleDeviceBuilder::default().major(major).minor(minor).rate(limit.value);
            device.build().map_err(model)
        });
        let all = all.collect::<Result<Vec<_>, Error>>()?;
        Ok((!all.is_empty()).then_some(all))
    };
    let mut block = LinuxBlockIo::default();
    let empty = block.clone();
    block.set_weight(limits.blkio_weight);
    block.set_throttle_read_bps_device(throttles(&limits.device_read_bps)?);
    block.set_throttle_write_bps_device(throttles(&limits.device_write_bps)?);
    block.set_throttle_read_iops_device(throttles(&limits.device_read_iops)?);
    block.set_throttle_write_iops_device(throttles(&limits.device_write_iops)?);
    let mut weights = Vec::new();
    for limit in &limits.blkio_weight_device {
        let weight = u16::try_from(limit.value).ok().filter(|weight| (10..=1000).contains(weight));
        let weight = weight.ok_or_else(|| {
            Error::Invalid(format!("a weight (--blkio-weight-device) is 10 to 1000, not {}", limit.value))
        })?;
        let (major, minor) = block_device(limit)?;
        let device = LinuxWeightDeviceBuilder::default().major(major).minor(minor).weight(weight);
        weights.push(device.build().map_err(model)?);
    }
    block.set_weight_device((!weights.is_empty()).then_some(weights));
    Ok((block != empty).then_some(block))
}

fn model(error: oci_spec::OciSpecError) -> Error {
    Error::Invalid(error.to_string())
}

fn block_device(limit: &BlockDeviceLimit) -> Result<(i64, i64), Error> {
    use std::os::unix::fs::FileTypeExt as _;
    let metadata = std::fs::metadata(&limit.path).map_err(Error::file("looking at the device", &limit.path))?;
    if !metadata.file_type().is_block_device() {
        return Err(Error::Invalid(format!("{} is not a block device", limit.path.display())));
    }
    Ok((i64::from(major(metadata.rdev())), i64::from(minor(metadata.rdev()))))
}

/// What is allowed beyond what every container may open, which the control groups know.
fn device_rules(plan: &LaunchPlan, devices: &[Granted]) -> Option<Vec<LinuxDeviceCgroup>> {
    let granted = devices.iter().filter(|_| !plan.options.security.privileged).map(|granted| {
        let node = &granted.node;
        rule(Some(node.typ()), Some(node.major()), Some(node.minor()), &granted.access)
    });
    let rules: Vec<_> = granted.chain(plan.options.device_rules.iter().map(own_rule)).collect();
    (!rules.is_empty()).then_some(rules)
}

fn own_rule(own: &DeviceRule) -> LinuxDeviceCgroup {
    let kind = match own.kind {
        'b' => Some(LinuxDeviceType::B),
        'c' => Some(LinuxDeviceType::C),
        _ => None,
    };
    rule(kind, own.major, own.minor, &own.access)
}

fn rule(kind: Option<LinuxDeviceType>, major: Option<i64>, minor: Option<i64>, access: &str) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(true);
    rule.set_typ(kind);
    rule.set_major(major);
    rule.set_minor(minor);
    rule.set_access(Some(access.to_owned()));
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_and_swap() {
        let asked = plan::Resources { memory: Some(64 << 20), cpu_millis: Some(1500), ..Default::default() };
        let cpu = cpu(&asked, &MoreLimits::default()).unwrap();
        assert_eq!((cpu.quota(), cpu.period()), (Some(150_000), Some(100_000)));
        let limits = memory(&asked, &MoreLimits::default()).unwrap();
        assert_eq!((limits.limit(), limits.swap()), (Some(64 << 20), Some(64 << 20)));
        let limits = memory(&asked, &MoreLimits { memory_swap: Some(-1), ..MoreLimits::default() }).unwrap();
        assert_eq!(limits.swap(), Some(-1));
        assert_eq!(memory(&plan::Resources::default(), &MoreLimits::default()), None);
    }

    #[test]
    fn block_devices_must_be_some() {
        let limits = MoreLimits { device_read_bps: vec!["/dev/null:1m".parse().unwrap()], ..MoreLimits::default() };
        assert!(block_io(&limits).is_err());
        assert_eq!(block_io(&MoreLimits::default()).unwrap(), None);
    }
}
