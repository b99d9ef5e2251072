//! Socket addresses as the application writes them (sockaddr(3type), ip(7), ipv6(7), unix(7), netlink(7)).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use linux_abi::Errno;
use linux_abi::net::af;

/// The largest address: `struct sockaddr_storage`.
pub(crate) const LARGEST: usize = 128;
/// The longest name of `struct sockaddr_un`.
const UNIX_NAME: usize = 108;

/// The address of an AF_UNIX socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UnixName {
    /// None yet.
    Unnamed,
    /// A name of the abstract name space (without its leading zero byte).
    Abstract(Vec<u8>),
    /// A path.
    Path(Vec<u8>),
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SockAddr {
    /// No address: dissolves the association of a datagram socket.
    Unspecified,
    /// IPv4 or IPv6; an IPv4 address in IPv6 clothes is taken as IPv4.
    Internet(SocketAddr),
    /// AF_UNIX.
    Unix(UnixName),
    /// AF_NETLINK: port id.
    Netlink(u32),
}

/// Decodes an address for a socket of a family. `EINVAL` if it is too short, `EAFNOSUPPORT` if it is of another family.
pub(crate) fn decode(bytes: &[u8], family: u16) -> Result<SockAddr, Errno> {
    let given = bytes.get(..2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or(Errno::EINVAL)?;
    match (given, family) {
        (af::UNSPEC, _) => Ok(SockAddr::Unspecified),
        (af::INET, af::INET | af::INET6) => decode_v4(bytes),
        (af::INET6, af::INET6) => decode_v6(bytes),
        (af::UNIX, af::UNIX) => decode_unix(&bytes[2..]),
        (af::NETLINK, af::NETLINK) => {
            let pid = bytes.get(4..8).and_then(|b| b.try_into().ok()).ok_or(Errno::EINVAL)?;
            Ok(SockAddr::Netlink(u32::from_le_bytes(pid)))
        }
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

fn port(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[2], bytes[3]])
}

fn decode_v4(bytes: &[u8]) -> Result<SockAddr, Errno> {
    let octets: [u8; 4] = bytes.get(4..8).and_then(|b| b.try_into().ok()).ok_or(Errno::EINVAL)?;
    if bytes.len() < 16 {
        return Err(Errno::EINVAL);
    }
    Ok(SockAddr::Internet(SocketAddr::new(Ipv4Addr::from(octets).into(), port(bytes))))
}

fn decode_v6(bytes: &[u8]) -> Result<SockAddr, Errno> {
    let octets: [u8; 16] = bytes.get(8..24).and_then(|b| b.try_into().ok()).ok_or(Errno::EINVAL)?;
    Ok(SockAddr::Internet(SocketAddr::new(Ipv6Addr::from(octets).to_canonical(), port(bytes))))
}

fn decode_unix(name: &[u8]) -> Result<SockAddr, Errno> {
    if name.len() > UNIX_NAME {
        return Err(Errno::EINVAL);
    }
    Ok(SockAddr::Unix(match name.split_first() {
        None => UnixName::Unnamed,
        Some((0, rest)) => UnixName::Abstract(rest.to_vec()),
        Some(_) => UnixName::Path(name.split(|b| *b == 0).next().unwrap_or_default().to_vec()),
    }))
}

/// Encodes an address for a socket of a family; gives the bytes and how many of them count.
pub(crate) fn encode(address: &SockAddr, family: u16) -> ([u8; LARGEST], usize) {
    let mut out = [0u8; LARGEST];
    out[..2].copy_from_slice(&family.to_le_bytes());
    let len = match address {
        SockAddr::Unspecified => 2,
        SockAddr::Internet(at) if family == af::INET6 => {
            encode_v6(&mut out, *at);
            28
        }
        SockAddr::Internet(at) => {
            out[2..4].copy_from_slice(&at.port().to_be_bytes());
            if let IpAddr::V4(ip) = at.ip() {
                out[4..8].copy_from_slice(&ip.octets());
            }
            16
        }
        SockAddr::Unix(UnixName::Unnamed) => 2,
        SockAddr::Unix(UnixName::Abstract(name)) => {
            out[3..3 + name.len()].copy_from_slice(name);
            3 + name.len()
        }
        SockAddr::Unix(UnixName::Path(path)) => {
            out[2..2 + path.len()].copy_from_slice(path);
            (2 + path.len() + 1).min(2 + UNIX_NAME)
        }
        SockAddr::Netlink(port) => {
            out[4..8].copy_from_slice(&port.to_le_bytes());
            12
        }
    };
    (out, len)
}

fn encode_v6(out: &mut [u8; LARGEST], at: SocketAddr) {
    let ip = match at.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    out[2..4].copy_from_slice(&at.port().to_be_bytes());
    out[8..24].copy_from_slice(&ip.octets());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(address: SockAddr, family: u16) -> SockAddr {
        let (bytes, len) = encode(&address, family);
        decode(&bytes[..len], family).unwrap()
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let v4 = SockAddr::Internet("10.1.2.3:80".parse().unwrap());
        let v6 = SockAddr::Internet("[fe80::1]:81".parse().unwrap());
        assert_eq!(round(v4.clone(), af::INET), v4);
        assert_eq!(round(v4.clone(), af::INET6), v4);
        assert_eq!(round(v6.clone(), af::INET6), v6);
        for name in [UnixName::Unnamed, UnixName::Abstract(b"a\0b".to_vec()), UnixName::Path(b"/run/x".to_vec())] {
            assert_eq!(round(SockAddr::Unix(name.clone()), af::UNIX), SockAddr::Unix(name));
        }
    }

    #[test]
    fn short_and_foreign_addresses_are_refused() {
        let (bytes, len) = encode(&SockAddr::Internet("10.1.2.3:80".parse().unwrap()), af::INET);
        for cut in 0..len {
            assert_eq!(decode(&bytes[..cut], af::INET), Err(Errno::EINVAL), "cut at {cut}");
        }
        assert_eq!(decode(&bytes[..len], af::UNIX), Err(Errno::EAFNOSUPPORT));
        let mut long = [b'x'; 111];
        long[..2].copy_from_slice(&af::UNIX.to_le_bytes());
        assert_eq!(decode(&long, af::UNIX), Err(Errno::EINVAL));
        long[..2].copy_from_slice(&af::INET6.to_le_bytes());
        assert_eq!(decode(&long[..20], af::INET6), Err(Errno::EINVAL));
    }

    #[test]
    fn a_path_of_full_length_needs_no_zero_byte() {
        let path = UnixName::Path(vec![b'p'; UNIX_NAME]);
        let (_, len) = encode(&SockAddr::Unix(path), af::UNIX);
        assert_eq!(len, 110);
    }
}
