//! `linux.resources.blockIO`: blkio-controller.rst, bfq-iosched.rst, "IO" of cgroup-v2.rst.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use super::{Need, strongest};
use crate::files::Directory;
use crate::group::Place;
use crate::{Controller, Error};

const WEIGHT: &str = "linux.resources.blockIO.weight";
const LEAF_WEIGHT: &str = "linux.resources.blockIO.leafWeight";
const WEIGHT_DEVICE: &str = "linux.resources.blockIO.weightDevice";
const READ_BPS: &str = "linux.resources.blockIO.throttleReadBpsDevice";
const WRITE_BPS: &str = "linux.resources.blockIO.throttleWriteBpsDevice";
const READ_IOPS: &str = "linux.resources.blockIO.throttleReadIOPSDevice";
const WRITE_IOPS: &str = "linux.resources.blockIO.throttleWriteIOPSDevice";

/// A throttle: its field, file in version 1, key of `io.max` in version 2.
type Throttle = (&'static str, &'static str, &'static str);

fn throttles(block_io: &LinuxBlockIo) -> [(Throttle, &[LinuxThrottleDevice]); 4] {
    [
        (
            (READ_BPS, "blkio.throttle.read_bps_device", "rbps"),
            block_io.throttle_read_bps_device().as_deref().unwrap_or_default(),
        ),
        (
            (WRITE_BPS, "blkio.throttle.write_bps_device", "wbps"),
            block_io.throttle_write_bps_device().as_deref().unwrap_or_default(),
        ),
        (
            (READ_IOPS, "blkio.throttle.read_iops_device", "riops"),
            block_io.throttle_read_iops_device().as_deref().unwrap_or_default(),
        ),
        (
            (WRITE_IOPS, "blkio.throttle.write_iops_device", "wiops"),
            block_io.throttle_write_iops_device().as_deref().unwrap_or_default(),
        ),
    ]
}

pub(super) fn need(block_io: &LinuxBlockIo) -> Option<Need> {
    let set = |weight: Option<u16>| weight.filter(|weight| *weight != 0).map(|_| true);
    let devices = block_io.weight_device().as_ref().filter(|devices| !devices.is_empty());
    let throttle = throttles(block_io).into_iter().find(|(_, devices)| !devices.is_empty());
    strongest(
        Controller::Blkio,
        &[
            (WEIGHT, set(block_io.weight())),
            (LEAF_WEIGHT, set(block_io.leaf_weight())),
            (WEIGHT_DEVICE, devices.map(|_| true)),
            (throttle.map_or(READ_BPS, |((field, ..), _)| field), throttle.map(|_| true)),
        ],
    )
}

pub(super) fn apply(place: Place<'_>, block_io: &LinuxBlockIo) -> Result<(), Error> {
    check(WEIGHT, block_io.weight())?;
    check(LEAF_WEIGHT, block_io.leaf_weight())?;
    for device in block_io.weight_device().iter().flatten() {
        check(WEIGHT_DEVICE, device.weight())?;
        check(WEIGHT_DEVICE, device.leaf_weight())?;
    }
    match place {
        Place::V1(group) => apply_v1(group, block_io),
        Place::V2(group) => apply_v2(group, block_io),
    }
}

/// 0 is "not set" for every runtime.
fn check(field: &'static str, weight: Option<u16>) -> Result<(), Error> {
    match weight {
        Some(weight @ (1..10 | 1001..)) => {
            Err(Error::Value { field, value: weight.to_string(), reason: "a weight is 10 to 1000" })
        }
        _ => Ok(()),
    }
}

fn given(weight: Option<u16>) -> Option<u16> {
    weight.filter(|weight| *weight != 0)
}

fn apply_v1(group: &Directory, block_io: &LinuxBlockIo) -> Result<(), Error> {
    // The scheduler that takes weights was CFQ until 4.x and is BFQ since.
    let or_bfq = |plain: &'static str, bfq: &'static str| if group.has(bfq) { bfq } else { plain };
    if let Some(weight) = given(block_io.weight()) {
        group.set(WEIGHT, or_bfq("blkio.weight", "blkio.bfq.weight"), &weight.to_string())?;
    }
    if let Some(weight) = given(block_io.leaf_weight()) {
        group.set(LEAF_WEIGHT, "blkio.leaf_weight", &weight.to_string())?;
    }
    for device in block_io.weight_device().iter().flatten() {
        let line = |weight| format!("{}:{} {weight}", device.major(), device.minor());
        if let Some(weight) = given(device.weight()) {
            let file = or_bfq("blkio.weight_device", "blkio.bfq.weight_device");
            group.set(WEIGHT_DEVICE, file, &line(weight))?;
        }
        if let Some(weight) = given(device.leaf_weight()) {
            group.set(WEIGHT_DEVICE, "blkio.leaf_weight_device", &line(weight))?;
        }
    }
    for ((field, file, _), devices) in throttles(block_io) {
        for device in devices {
            group.set(field, file, &format!("{}:{} {}", device.major(), device.minor(), device.rate()))?;
        }
    }
    Ok(())
}

fn apply_v2(group: &Directory, block_io: &LinuxBlockIo) -> Result<(), Error> {
    let leaf = block_io.weight_device().iter().flatten().filter_map(|device| given(device.leaf_weight())).next();
    if let Some(weight) = given(block_io.leaf_weight()).or(leaf) {
        let reason = "version 2 has no leaf weights; leave it out";
        return Err(Error::Value { field: LEAF_WEIGHT, value: weight.to_string(), reason });
    }
    let bfq = group.has("io.bfq.weight");
    let file = if bfq { "io.bfq.weight" } else { "io.weight" };
    let converted = |weight: u16| if bfq { u32::from(weight) } else { weight_of(weight) };
    if let Some(weight) = given(block_io.weight()) {
        group.set(WEIGHT, file, &converted(weight).to_string())?;
    }
    for device in block_io.weight_device().iter().flatten() {
        if let Some(weight) = given(device.weight()) {
            let line = format!("{}:{} {}", device.major(), device.minor(), converted(weight));
            group.set(WEIGHT_DEVICE, file, &line)?;
        }
    }
    for ((field, _, key), devices) in throttles(block_io) {
        for device in devices {
            let rate = if device.rate() == 0 { "max".to_owned() } else { device.rate().to_string() };
            group.set(field, "io.max", &format!("{}:{} {key}={rate}", device.major(), device.minor()))?;
        }
    }
    Ok(())
}

/// 10 to 1000 onto the 1 to 10000 of `io.weight`, as runc and crun do.
fn weight_of(weight: u16) -> u32 {
    1 + (u32::from(weight) - 10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::weight_of;

    #[test]
    fn weights() {
        assert_eq!((weight_of(10), weight_of(1000), weight_of(500)), (1, 10_000, 4950));
    }
}
