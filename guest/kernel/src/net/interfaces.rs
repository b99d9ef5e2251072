//! The network interfaces as the application sees them: the loopback and, where the instance has a network, `eth0`.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::stack;

/// An interface.
pub(crate) struct Interface {
    /// Its number.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: &'static str,
    /// The hardware type (`ARPHRD_*`).
    pub(crate) hardware: u16,
    /// The hardware address.
    pub(crate) mac: [u8; 6],
    /// The largest packet in bytes.
    pub(crate) mtu: u32,
    /// `IFF_*` (netdevice(7)).
    pub(crate) flags: u32,
    /// Addresses with the lengths of their prefixes.
    pub(crate) addresses: Vec<(IpAddr, u8)>,
    /// The default gateway that is reached through it.
    pub(crate) gateway: Option<Ipv4Addr>,
}

const IFF_UP: u32 = 0x1;
const IFF_BROADCAST: u32 = 0x2;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_RUNNING: u32 = 0x40;
const IFF_MULTICAST: u32 = 0x1000;
const IFF_LOWER_UP: u32 = 0x1_0000;
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;

impl Interface {
    /// The IPv4 address and the length of its prefix.
    pub(crate) fn v4(&self) -> Option<(Ipv4Addr, u8)> {
        self.addresses.iter().find_map(|(address, prefix)| match address {
            IpAddr::V4(ip) => Some((*ip, *prefix)),
            IpAddr::V6(_) => None,
        })
    }

    /// The broadcast address of the IPv4 subnet.
    pub(crate) fn broadcast(&self) -> Option<Ipv4Addr> {
        let (address, prefix) = self.v4().filter(|_| self.flags & IFF_BROADCAST != 0)?;
        Some(Ipv4Addr::from(u32::from(address) | !mask(prefix)))
    }
}

/// The network mask of a prefix.
pub(crate) fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

/// All interfaces, in the order of their numbers.
pub(crate) fn all() -> Vec<Interface> {
    let mut interfaces = alloc::vec![Interface {
        index: 1,
        name: "lo",
        hardware: ARPHRD_LOOPBACK,
        mac: [0; 6],
        mtu: 65536,
        flags: IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP,
        addresses: alloc::vec![(Ipv4Addr::LOCALHOST.into(), 8), (Ipv6Addr::LOCALHOST.into(), 128)],
        gateway: None,
    }];
    if let Some(network) = stack::lock().network() {
        interfaces.push(Interface {
            index: 2,
            name: "eth0",
            hardware: ARPHRD_ETHER,
            mac: network.mac,
            mtu: u32::from(network.mtu),
            flags: IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST | IFF_LOWER_UP,
            addresses: alloc::vec![(Ipv4Addr::from(network.address).into(), network.prefix)],
            gateway: (network.gateway != [0; 4]).then(|| network.gateway.into()),
        });
    }
    interfaces
}
