use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How an instance is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// An address of its own on the bridge, translated on the way out.
    Bridge,
    /// Loopback only.
    None,
    /// The host's own.
    Host,
    /// That of another container: its name, or its id once the plan was made.
    Container(String),
    /// A user's own: pasta(1) or slirp4netns(1) translates between its sockets and the instance's packets.
    Pasta,
}

/// A `--network` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no network '{0}'; choose bridge, none, host, container:NAME or pasta")]
pub struct NetworkModeParseError(String);

impl FromStr for NetworkMode {
    type Err = NetworkModeParseError;

    fn from_str(text: &str) -> Result<Self, NetworkModeParseError> {
        match text {
            "bridge" | "default" => Ok(Self::Bridge),
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            "pasta" => Ok(Self::Pasta),
            _ => match text.strip_prefix("container:") {
                Some(name) if !name.is_empty() => Ok(Self::Container(name.to_owned())),
                _ => Err(NetworkModeParseError(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => f.write_str("bridge"),
            Self::None => f.write_str("none"),
            Self::Host => f.write_str("host"),
            Self::Pasta => f.write_str("pasta"),
            Self::Container(name) => write!(f, "container:{name}"),
        }
    }
}

/// The network part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// How the instance is connected.
    pub mode: NetworkMode,
    /// Ports of the host that lead into the instance.
    pub published: Vec<PortMapping>,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, RFC 9293.
    Tcp,
    /// UDP, RFC 768.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// One published port: `[HOST_IP:]HOST_PORT:PORT[/tcp|/udp]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// The host's address that listens; unspecified means every address.
    pub host_ip: IpAddr,
    /// The host's port.
    pub host_port: u16,
    /// The instance's port.
    pub port: u16,
    /// The transport protocol.
    pub protocol: Protocol,
}

/// A `-p` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid port mapping '{0}'; write [HOST_IP:]HOST_PORT:PORT[/tcp|/udp], for example 8080:80 or 127.0.0.1:5353:53/udp"
)]
pub struct PortParseError(String);

impl FromStr for PortMapping {
    type Err = PortParseError;

    fn from_str(text: &str) -> Result<Self, PortParseError> {
        parse_mapping(text).ok_or_else(|| PortParseError(text.to_owned()))
    }
}

fn parse_mapping(text: &str) -> Option<PortMapping> {
    let (ports, protocol) = match text.rsplit_once('/') {
        None | Some((_, "tcp")) => (text.strip_suffix("/tcp").unwrap_or(text), Protocol::Tcp),
        Some((ports, "udp")) => (ports, Protocol::Udp),
        Some(_) => return None,
    };
    let (host, port) = ports.rsplit_once(':')?;
    let (host_ip, host_port) = match host.rsplit_once(':') {
        None => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), host),
        Some((ip, host_port)) => (ip.trim_start_matches('[').trim_end_matches(']').parse().ok()?, host_port),
    };
    let number = |text: &str| text.parse::<u16>().ok().filter(|n| *n != 0);
    Some(PortMapping { host_ip, host_port: number(host_port)?, port: number(port)?, protocol })
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}->{}/{}", self.host_port, self.port, self.protocol),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}->{}/{}", self.host_port, self.port, self.protocol),
        }
    }
}

/// A 48-bit Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MacAddress(pub [u8; 6]);

/// A `--mac-address` argument that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an Ethernet address of one station; write six hexadecimal bytes, for example 02:42:0a:00:00:05")]
pub struct MacParseError(String);

impl FromStr for MacAddress {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, MacParseError> {
        let hex = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let byte = |part: &str| if hex(part) { u8::from_str_radix(part, 16).ok() } else { None };
        let bytes: Option<Vec<u8>> = text.split([':', '-']).map(byte).collect();
        let bytes = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
        // The lowest bit of the first byte marks groups; all zeros is nobody.
        let usable = |bytes: &[u8; 6]| bytes[0] & 1 == 0 && *bytes != [0; 6];
        bytes.filter(usable).map(Self).ok_or_else(|| MacParseError(text.to_owned()))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read_as_docker_reads_them() {
        let m: PortMapping = "7001:6379".parse().unwrap();
        assert_eq!((m.host_port, m.port, m.protocol), (7001, 6379, Protocol::Tcp));
        let m: PortMapping = "127.0.0.1:53:5353/udp".parse().unwrap();
        assert_eq!((m.host_ip, m.protocol), (IpAddr::V4(Ipv4Addr::LOCALHOST), Protocol::Udp));
        let m: PortMapping = "[::1]:80:8080".parse().unwrap();
        assert_eq!(m.to_string(), "[::1]:80->8080/tcp");
    }

    #[test]
    fn modes_and_addresses() {
        for mode in ["bridge", "none", "host", "pasta", "container:db"] {
            assert_eq!(mode.parse::<NetworkMode>().unwrap().to_string(), mode);
        }
        assert!("container:".parse::<NetworkMode>().is_err() && "macvlan".parse::<NetworkMode>().is_err());
        assert_eq!("02:42:0a:00:00:05".parse(), Ok(MacAddress([2, 0x42, 10, 0, 0, 5])));
        for bad in ["", "02:42", "01:00:00:00:00:00", "00:00:00:00:00:00", "+2:42:0a:00:00:05", "02:42:0a:00:00:05:06"]
        {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for bad in ["", "80", ":80", "0:80", "80:0", "70000:80", "80:80/sctp", "host:80:80", "1:2:3:4"] {
            assert!(bad.parse::<PortMapping>().is_err(), "{bad}");
        }
    }
}
