//! Which ranges of addresses the host already uses, over rtnetlink(7).

use crate::Subnet;
use crate::netlink::{Message, NetlinkError, Socket, find, u32_ne};

/// Message types of linux/rtnetlink.h.
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
/// Attributes of linux/if_addr.h and linux/rtnetlink.h.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
/// Kinds of routes that stand for addresses in use; the others are broadcast, unreachable and the like.
const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const AF_INET: u8 = 2;

/// Every IPv4 range that the host has a route to or an address in, but the default route.
///
/// `ignored` is an interface whose ranges do not count.
pub(crate) fn subnets(socket: &Socket, ignored: Option<u32>) -> Result<Vec<Subnet>, NetlinkError> {
    let mut family_routes = [0; 12];
    family_routes[0] = AF_INET;
    let routes = socket.dump("list the routes", RTM_GETROUTE, &family_routes, |_| ())?;
    let mut family_addresses = [0; 8];
    family_addresses[0] = AF_INET;
    let addresses = socket.dump("list the addresses", RTM_GETADDR, &family_addresses, |_| ())?;
    let mut used: Vec<Subnet> = routes.iter().filter_map(|message| parse_route(message, ignored)).collect();
    used.extend(addresses.iter().filter_map(|message| parse_address(message, ignored)));
    Ok(used)
}

/// The index of the interface with the default route of the lowest metric.
pub(crate) fn default_interface(socket: &Socket) -> Result<Option<u32>, NetlinkError> {
    let mut family = [0; 12];
    family[0] = AF_INET;
    let routes = socket.dump("list the routes", RTM_GETROUTE, &family, |_| ())?;
    let default = routes.iter().filter_map(|message| {
        let (header, attributes) = message.payload.split_first_chunk::<12>()?;
        let is_default = header[0] == AF_INET && header[1] == 0 && header[7] == RTN_UNICAST;
        let metric = find(attributes, RTA_PRIORITY).and_then(u32_ne).unwrap_or(0);
        is_default.then_some((metric, find(attributes, RTA_OIF).and_then(u32_ne)?))
    });
    Ok(default.min().map(|(_, interface)| interface))
}

fn parse_route(message: &Message, ignored: Option<u32>) -> Option<Subnet> {
    let (header, attributes) = message.payload.split_first_chunk::<12>()?;
    let (family, prefix, kind) = (header[0], header[1], header[7]);
    let interface = find(attributes, RTA_OIF).and_then(u32_ne);
    let counts = family == AF_INET && prefix > 0 && (kind == RTN_UNICAST || kind == RTN_LOCAL);
    if !counts || (ignored.is_some() && interface == ignored) {
        return None;
    }
    let destination: [u8; 4] = find(attributes, RTA_DST)?.try_into().ok()?;
    Subnet::containing(destination.into(), prefix)
}

fn parse_address(message: &Message, ignored: Option<u32>) -> Option<Subnet> {
    let (header, attributes) = message.payload.split_first_chunk::<8>()?;
    if ignored.is_some() && u32_ne(&header[4..8]) == ignored {
        return None;
    }
    let address: [u8; 4] = find(attributes, IFA_LOCAL).or(find(attributes, IFA_ADDRESS))?.try_into().ok()?;
    Subnet::containing(address.into(), header[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_in_use() {
        let socket = Socket::route().unwrap();
        let loopback: Subnet = "127.0.0.0/8".parse().unwrap();
        assert!(subnets(&socket, None).unwrap().contains(&loopback));
        assert!(!subnets(&socket, Some(1)).unwrap().contains(&loopback));
    }
}
