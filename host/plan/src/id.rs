use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An instance's identity: 64 lower-case hexadecimal digits, as Docker's and Podman's.
///
/// It names directories, cgroups and lease files, so nothing but hexadecimal digits is ever accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an instance id (64 lower-case hexadecimal digits)")]
pub struct InvalidId(String);

impl InstanceId {
    /// Makes an id from 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as tables show it.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// The name of the host's network interface of this instance: `crcl` and the first 10 digits.
    ///
    /// An interface name holds at most 15 bytes (`IFNAMSIZ` of netdevice(7), less the terminating zero).
    pub fn interface_name(&self) -> String {
        format!("crcl{}", &self.0[..10])
    }
}

impl FromStr for InstanceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_hex_digits_are_an_id() {
        let id = InstanceId::from_bytes([0xa5; 32]);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.interface_name().len(), 14);
        for bad in ["", "../../etc/passwd", &"A".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad}");
        }
    }
}
