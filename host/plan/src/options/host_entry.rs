use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A line for /etc/hosts: `NAME:ADDRESS` or `NAME=ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEntry {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: HostAddress,
}

/// Where a name of /etc/hosts leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostAddress {
    /// An address.
    Address(IpAddr),
    /// The host, as the instance reaches it (`host-gateway`).
    HostGateway,
}

/// An `--add-host` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid host entry '{0}'; write NAME:ADDRESS, for example db:10.0.0.5 or host:host-gateway")]
pub struct HostEntryParseError(String);

impl FromStr for HostEntry {
    type Err = HostEntryParseError;

    fn from_str(text: &str) -> Result<Self, HostEntryParseError> {
        let error = || HostEntryParseError(text.to_owned());
        let (name, address) = text.split_once([':', '=']).ok_or_else(error)?;
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
        if name.is_empty() || name.len() > 253 || !name.bytes().all(plain) {
            return Err(error());
        }
        let address = match address {
            "host-gateway" => HostAddress::HostGateway,
            text => {
                HostAddress::Address(text.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| error())?)
            }
        };
        Ok(Self { name: name.to_owned(), address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let entry: HostEntry = "db:10.0.0.5".parse().unwrap();
        assert_eq!(entry.address, HostAddress::Address("10.0.0.5".parse().unwrap()));
        let entry: HostEntry = "six:::1".parse().unwrap();
        assert_eq!(entry.address, HostAddress::Address("::1".parse().unwrap()));
        assert_eq!("h=host-gateway".parse::<HostEntry>().unwrap().address, HostAddress::HostGateway);
        for bad in ["", "db", ":1.2.3.4", "db:", "db:1.2.3", "a b:1.2.3.4", "a\n:1.2.3.4", "db:1.2.3.4\nx"] {
            assert!(bad.parse::<HostEntry>().is_err(), "{bad}");
        }
    }
}
