//! Looking for an interface that somebody else has configured, and making it a port of a bridge.

use std::net::Ipv4Addr;

use plan::MacAddress;
use rustix::io::Errno;

use super::{
    AF_INET, IFA_LOCAL, IFF_UP, IFLA_ADDRESS, IFLA_BR_MCAST_SNOOPING, IFLA_IFALIAS, IFLA_IFNAME, IFLA_INFO_DATA,
    IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, LOOPBACK_INDEX, NLM_F_CREATE, NLM_F_EXCL, RT_TABLE_MAIN,
    RTA_GATEWAY, RTA_OIF, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE, by_name, link_header, parse_link, run,
};
use crate::netlink::{Batch, Message, NetlinkError, Socket, find, u32_ne};

/// Message types of linux/rtnetlink.h.
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;

/// An interface with an IPv4 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
    /// Of the default route over it.
    pub(crate) gateway: Option<Ipv4Addr>,
    pub(crate) mac: MacAddress,
    pub(crate) mtu: u32,
}

/// The interfaces with an IPv4 address, loopback excepted, each with its first one.
pub(crate) fn with_ipv4(socket: &Socket) -> Result<Vec<Found>, NetlinkError> {
    let addresses = socket.dump("list the addresses", RTM_GETADDR, &[AF_INET, 0, 0, 0, 0, 0, 0, 0], |_| ())?;
    let mut addresses: Vec<_> = addresses.iter().filter_map(parse_address).collect();
    addresses.dedup_by_key(|(index, ..)| *index);
    let routes = socket.dump("list the routes", RTM_GETROUTE, &[AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], |_| ())?;
    let links = socket.dump("list the interfaces", RTM_GETLINK, &link_header(0, 0), |_| ())?;
    let found =
        addresses.into_iter().filter(|(index, ..)| *index != LOOPBACK_INDEX).filter_map(|(index, address, prefix)| {
            let message = links.iter().find(|message| parse_link(message).is_some_and(|link| link.index == index))?;
            let link = parse_link(message)?;
            let mac = find(message.payload.get(16..)?, IFLA_ADDRESS)?.try_into().ok().map(MacAddress)?;
            let gateway = routes.iter().find_map(|route| default_gateway(route, index));
            Some(Found { index, name: link.name, address, prefix, gateway, mac, mtu: link.mtu })
        });
    Ok(found.collect())
}

/// `struct ifaddrmsg` of linux/if_addr.h: family, prefix length, flags, scope, index.
fn parse_address(message: &Message) -> Option<(u32, Ipv4Addr, u8)> {
    let (header, attributes) = message.payload.split_first_chunk::<8>()?;
    if message.kind != RTM_NEWADDR || header[0] != AF_INET || header[1] > 32 {
        return None;
    }
    let octets: [u8; 4] = find(attributes, IFA_LOCAL)?.try_into().ok()?;
    Some((u32_ne(&header[4..])?, octets.into(), header[1]))
}

/// `struct rtmsg` of linux/rtnetlink.h: family, length of the destination's prefix, …, table in the fifth byte.
fn default_gateway(message: &Message, index: u32) -> Option<Ipv4Addr> {
    let (header, attributes) = message.payload.split_first_chunk::<12>()?;
    let is_default =
        message.kind == RTM_NEWROUTE && header[0] == AF_INET && header[1] == 0 && header[4] == RT_TABLE_MAIN;
    if !is_default || find(attributes, RTA_OIF).and_then(u32_ne) != Some(index) {
        return None;
    }
    let octets: [u8; 4] = find(attributes, RTA_GATEWAY)?.try_into().ok()?;
    Some(octets.into())
}

/// Makes a bridge with this alias, and the interface a port of it; gives the bridge's index.
///
/// The interface loses its addresses and gets another Ethernet address: a bridge keeps frames to its ports' own to itself.
pub(crate) fn move_to_bridge(socket: &Socket, found: &Found, bridge: &str) -> Result<u32, NetlinkError> {
    let alias = crate::adopt::remember(found);
    let mut batch = Batch::new();
    batch.message("create a bridge", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link_header(0, IFF_UP), |m| {
        m.text(IFLA_IFNAME, bridge);
        m.u32(IFLA_MTU, found.mtu);
        m.nest(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "bridge");
            info.nest(IFLA_INFO_DATA, |data| data.bytes(IFLA_BR_MCAST_SNOOPING, &[0]));
        });
    });
    run(socket, batch)?;
    let refused = NetlinkError::Refused { operation: "find the bridge", errno: Errno::NODEV };
    let index = by_name(socket, bridge)?.ok_or(refused)?.index;
    let mut batch = Batch::new();
    // The kernel takes no alias while it creates an interface. It comes before anything is lost.
    batch.message("note the address", RTM_NEWLINK, 0, &link_header(index, 0), |m| m.text(IFLA_IFALIAS, &alias));
    let mut header = [AF_INET, found.prefix, 0, 0, 0, 0, 0, 0];
    header[4..].copy_from_slice(&found.index.to_ne_bytes());
    batch.message("take the interface's address", RTM_DELADDR, 0, &header, |m| {
        m.bytes(IFA_LOCAL, &found.address.octets());
    });
    batch.message("attach the interface to the bridge", RTM_NEWLINK, 0, &link_header(found.index, IFF_UP), |m| {
        m.bytes(IFLA_ADDRESS, &another(found.mac).0);
        m.u32(IFLA_MASTER, index);
    });
    run(socket, batch)?;
    Ok(index)
}

/// Makes an interface a port of a bridge and sets it up.
pub(crate) fn enslave(socket: &Socket, name: &str, bridge: u32, mtu: u32) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    batch.message("attach the TAP device to the bridge", RTM_NEWLINK, 0, &link_header(0, IFF_UP), |m| {
        m.text(IFLA_IFNAME, name);
        m.u32(IFLA_MTU, mtu);
        m.u32(IFLA_MASTER, bridge);
    });
    run(socket, batch)
}

/// A locally administered address that differs in every case.
fn another(mac: MacAddress) -> MacAddress {
    let mut bytes = mac.0;
    bytes[0] = (bytes[0] | 0x02) & !0x01;
    bytes[5] ^= 0x80;
    MacAddress(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_dump_is_read_with_care() {
        let message = |kind, payload: &[u8]| Message { kind, payload: payload.to_vec() };
        let address = [AF_INET, 24, 0, 0, 7, 0, 0, 0, 8, 0, 2, 0, 10, 0, 0, 5];
        assert_eq!(parse_address(&message(RTM_NEWADDR, &address)), Some((7, Ipv4Addr::new(10, 0, 0, 5), 24)));
        assert_eq!(parse_address(&message(RTM_NEWADDR, &address[..12])), None);
        assert_eq!(parse_address(&message(RTM_NEWADDR, &[AF_INET, 33, 0, 0, 7, 0, 0, 0])), None);
        assert_eq!(default_gateway(&message(RTM_NEWROUTE, &[AF_INET; 11]), 7), None);
        let mac = MacAddress([0x0a, 1, 2, 3, 4, 5]);
        assert_ne!(another(mac), mac);
    }
}
