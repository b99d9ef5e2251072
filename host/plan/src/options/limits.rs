use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::parse_size;

/// Limits of control groups that only the container level knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MoreLimits {
    /// Memory and swap together in bytes; -1 is no limit of swap. Equal to the memory if not given: no swap.
    pub memory_swap: Option<i64>,
    /// What is left to the instance when memory is short, in bytes.
    pub memory_reservation: Option<u64>,
    /// How readily its pages are swapped: 0 to 100.
    pub memory_swappiness: Option<u64>,
    /// Lets programs wait instead of being ended when the limit is reached (control groups of version 1).
    pub oom_kill_disable: bool,
    /// Share of CPU time when others want it too: 1024 is usual.
    pub cpu_shares: Option<u64>,
    /// The period of the quota in microseconds.
    pub cpu_period: Option<u64>,
    /// CPU time in each period, in microseconds.
    pub cpu_quota: Option<i64>,
    /// Memory nodes that may be used (cpuset(7)).
    pub cpuset_mems: Option<String>,
    /// Share of block device time: 10 to 1000.
    pub blkio_weight: Option<u16>,
    /// The same for single devices.
    pub blkio_weight_device: Vec<BlockDeviceLimit>,
    /// Bytes a second that may be read.
    pub device_read_bps: Vec<BlockDeviceLimit>,
    /// Bytes a second that may be written.
    pub device_write_bps: Vec<BlockDeviceLimit>,
    /// Operations a second that may be read.
    pub device_read_iops: Vec<BlockDeviceLimit>,
    /// Operations a second that may be written.
    pub device_write_iops: Vec<BlockDeviceLimit>,
}

/// A limit for one block device: `PATH:VALUE`; a rate in bytes may have a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDeviceLimit {
    /// The device on the host.
    pub path: PathBuf,
    /// The limit.
    pub value: u64,
}

/// An argument such as `--device-read-bps` that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid limit of a device '{0}'; write PATH:VALUE, for example /dev/sda:1m")]
pub struct ThrottleParseError(String);

impl FromStr for BlockDeviceLimit {
    type Err = ThrottleParseError;

    fn from_str(text: &str) -> Result<Self, ThrottleParseError> {
        let error = || ThrottleParseError(text.to_owned());
        let (path, value) = text.rsplit_once(':').ok_or_else(error)?;
        if !path.starts_with("/dev/") || path.contains('\0') || path.split('/').any(|part| part == "..") {
            return Err(error());
        }
        Ok(Self { path: path.into(), value: parse_size(value).map_err(|_| error())? })
    }
}

impl MoreLimits {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let limit: BlockDeviceLimit = "/dev/sda:1m".parse().unwrap();
        assert_eq!((limit.path.to_str(), limit.value), (Some("/dev/sda"), 1 << 20));
        for bad in ["", "/dev/sda", "sda:1", "/dev/sda:", "/dev/sda:-1", "/dev/../x:1"] {
            assert!(bad.parse::<BlockDeviceLimit>().is_err(), "{bad}");
        }
    }
}
