use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A device of the host for an instance: `HOST[:GUEST][:PERMISSIONS]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The device, or a directory with devices, on the host.
    pub host: PathBuf,
    /// Its path inside.
    pub guest: PathBuf,
    /// What may be done: some of `r`, `w` and `m` (make nodes).
    pub access: String,
}

/// A rule of the device controller: `TYPE MAJOR:MINOR PERMISSIONS`, numbers or `*` (cgroup-v1/devices.rst of the kernel).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// `a`, `b` or `c`.
    pub kind: char,
    /// The major number; `None` is any.
    pub major: Option<i64>,
    /// The minor number; `None` is any.
    pub minor: Option<i64>,
    /// Some of `r`, `w` and `m`.
    pub access: String,
}

/// A `--device` or `--device-cgroup-rule` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceParseError {
    /// Not a device.
    #[error(
        "invalid device '{0}'; write HOST[:GUEST][:rwm] with absolute paths, for example /dev/fuse or /dev/sda:/dev/xvda:r"
    )]
    Device(String),
    /// Not a rule.
    #[error("invalid device rule '{0}'; write TYPE MAJOR:MINOR PERMISSIONS, for example 'c 1:3 rwm' or 'b 8:* r'")]
    Rule(String),
}

impl FromStr for Device {
    type Err = DeviceParseError;

    fn from_str(text: &str) -> Result<Self, DeviceParseError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (host, guest, access) = match parts[..] {
            [host] => (host, host, "rwm"),
            [host, access] if is_access(access) => (host, host, access),
            [host, guest] => (host, guest, "rwm"),
            [host, guest, access] if is_access(access) => (host, guest, access),
            _ => return Err(DeviceParseError::Device(text.to_owned())),
        };
        if !is_plain(host) || !is_plain(guest) {
            return Err(DeviceParseError::Device(text.to_owned()));
        }
        Ok(Self { host: host.into(), guest: guest.into(), access: access.to_owned() })
    }
}

impl FromStr for DeviceRule {
    type Err = DeviceParseError;

    fn from_str(text: &str) -> Result<Self, DeviceParseError> {
        parse_rule(text).ok_or_else(|| DeviceParseError::Rule(text.to_owned()))
    }
}

impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<i64>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        write!(f, "{} {}:{} {}", self.kind, number(self.major), number(self.minor), self.access)
    }
}

fn parse_rule(text: &str) -> Option<DeviceRule> {
    let [kind, numbers, access] = text.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    let kind = match kind {
        "a" => 'a',
        "b" => 'b',
        "c" => 'c',
        _ => return None,
    };
    let number = |text: &str| match text {
        "*" => Some(None),
        digits => digits.parse::<u32>().ok().map(|n| Some(i64::from(n))),
    };
    let (major, minor) = numbers.split_once(':')?;
    let (major, minor) = (number(major)?, number(minor)?);
    is_access(access).then(|| DeviceRule { kind, major, minor, access: access.to_owned() })
}

/// Each of the letters at most once, and at least one.
fn is_access(text: &str) -> bool {
    let once = |letter| text.matches(letter).count() <= 1;
    !text.is_empty() && text.chars().all(|c| "rwm".contains(c)) && "rwm".chars().all(once)
}

fn is_plain(path: &str) -> bool {
    path.len() > 1 && path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        let device: Device = "/dev/sda:/dev/xvda:r".parse().unwrap();
        assert_eq!((device.guest.to_str(), device.access.as_str()), (Some("/dev/xvda"), "r"));
        let device: Device = "/dev/fuse:rw".parse().unwrap();
        assert_eq!((device.guest.to_str(), device.access.as_str()), (Some("/dev/fuse"), "rw"));
        for bad in ["", "fuse", "/dev/a:/dev/b:x", "/dev/a:/dev/b:rr", "/dev/../etc", "/", "/a:/b:rwm:x"] {
            assert!(bad.parse::<Device>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rules() {
        let rule: DeviceRule = "c 1:* rw".parse().unwrap();
        assert_eq!(rule.to_string(), "c 1:* rw");
        for bad in ["", "c 1:3", "x 1:3 r", "c 1 r", "c -1:3 r", "c 1:3 q", "c 1:3 r w"] {
            assert!(bad.parse::<DeviceRule>().is_err(), "{bad}");
        }
    }
}
