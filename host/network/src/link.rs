//! Interfaces, addresses and routes over rtnetlink(7).

mod adopted;

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use plan::MacAddress;
use rustix::io::Errno;

use crate::netlink::{Attributes, Batch, Message, Nest, NetlinkError, Socket, find, text, u32_ne};
use crate::{Lease, Subnet};

pub(crate) use adopted::{Found, enslave, move_to_bridge, with_ipv4};

/// Message types of linux/rtnetlink.h.
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWNEIGH: u16 = 28;
/// Flags of linux/netlink.h.
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
/// Attributes of linux/if_link.h.
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_NUM_TX_QUEUES: u16 = 31;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_UNICAST_FLOOD: u16 = 9;
const IFLA_BRPORT_LOCKED: u16 = 39;
const VETH_INFO_PEER: u16 = 1;
/// Attributes of linux/if_addr.h.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
/// Attributes of linux/rtnetlink.h.
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
/// `RT_TABLE_MAIN`, `RTPROT_BOOT` and `RTN_UNICAST`.
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RTN_UNICAST: u8 = 1;
/// linux/neighbour.h: an entry that never ages, in the bridge's table.
const NDA_LLADDR: u16 = 2;
const NUD_NOARP: u8 = 0x40;
const NTF_MASTER: u8 = 0x04;
/// `AF_INET`, `AF_BRIDGE` and `IFF_UP`.
const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
const IFF_UP: u32 = 1;
/// The index of `lo` in every network namespace: `LOOPBACK_IFINDEX` of net/net_namespace.h.
const LOOPBACK_INDEX: u32 = 1;
/// The interface's name inside a container.
const INNER_NAME: &str = "eth0";

/// What is needed of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) up: bool,
    /// The largest packet in bytes.
    pub(crate) mtu: u32,
    /// The index of the bridge that it is a port of.
    pub(crate) master: Option<u32>,
    /// The kind: `bridge`, `veth`, `tun`, …
    pub(crate) kind: String,
    /// Free text that the owner attached.
    pub(crate) alias: String,
}

/// An interface by name; `None` if there is none.
pub(crate) fn by_name(socket: &Socket, name: &str) -> Result<Option<Link>, NetlinkError> {
    let mut batch = Batch::new();
    batch.message("look up an interface", RTM_GETLINK, 0, &link_header(0, 0), |m| {
        m.text(IFLA_IFNAME, name);
        m.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    });
    match socket.get(&batch) {
        Ok(message) => parse_link(&message).map(Some).ok_or(NetlinkError::Malformed),
        Err(error) if error.refusal() == Some(Errno::NODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All interfaces.
pub(crate) fn all(socket: &Socket) -> Result<Vec<Link>, NetlinkError> {
    let messages = socket.dump("list the interfaces", RTM_GETLINK, &link_header(0, 0), |m| {
        m.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    })?;
    Ok(messages.iter().filter_map(parse_link).collect())
}

/// Creates the bridge, without address, and down. It is not an error if it exists.
pub(crate) fn create_bridge(socket: &Socket, name: &str, mac: MacAddress, mtu: u32) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    batch.message("create the bridge", RTM_NEWLINK, flags, &link_header(0, 0), |m| {
        m.text(IFLA_IFNAME, name);
        // A fixed address: otherwise the bridge takes its ports' lowest one and neighbours' caches go stale.
        m.bytes(IFLA_ADDRESS, &mac.0);
        m.u32(IFLA_MTU, mtu);
        m.nest(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "bridge");
            info.nest(IFLA_INFO_DATA, |data| data.bytes(IFLA_BR_MCAST_SNOOPING, &[0]));
        });
    });
    match run(socket, batch) {
        Err(error) if error.refusal() == Some(Errno::EXIST) => Ok(()),
        result => result,
    }
}

/// Gives the bridge its address, sets it up, and only then marks it as ready with the alias.
pub(crate) fn finish_bridge(socket: &Socket, index: u32, subnet: Subnet, alias: &str) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    add_address(&mut batch, index, subnet.gateway(), subnet);
    batch.message("set the bridge up", RTM_NEWLINK, 0, &link_header(index, IFF_UP), |m| m.text(IFLA_IFALIAS, alias));
    run(socket, batch)
}

/// Creates a pair of interfaces: the host's end on the bridge and up, the other one in the namespace and down.
///
/// The kernel creates the inner end first and refuses to set it up (`ENOTCONN`) while it is alone.
pub(crate) fn create_veth(
    socket: &Socket,
    lease: &Lease,
    bridge: u32,
    netns: BorrowedFd<'_>,
) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    batch.message("create the veth pair", RTM_NEWLINK, flags, &link_header(0, IFF_UP), |m| {
        m.text(IFLA_IFNAME, &lease.interface);
        m.u32(IFLA_MTU, lease.mtu);
        m.u32(IFLA_MASTER, bridge);
        one_queue(m);
        m.nest(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "veth");
            info.nest(IFLA_INFO_DATA, |data| {
                data.nest_after(VETH_INFO_PEER, &link_header(0, 0), |peer| {
                    peer.text(IFLA_IFNAME, INNER_NAME);
                    peer.bytes(IFLA_ADDRESS, &lease.mac.0);
                    peer.u32(IFLA_MTU, lease.mtu);
                    one_queue(peer);
                    peer.u32(IFLA_NET_NS_FD, netns.as_raw_fd() as u32);
                });
            });
        });
    });
    run(socket, batch)?;
    configure_port(socket, lease)
}

/// One queue each way instead of one per CPU, of which each costs memory and several files in sysfs.
fn one_queue(attributes: &mut Nest<'_>) {
    attributes.u32(IFLA_NUM_TX_QUEUES, 1);
    attributes.u32(IFLA_NUM_RX_QUEUES, 1);
}

/// Inside the instance's namespace: loopback and `eth0` up, with address and default route.
pub(crate) fn configure_inside(socket: &Socket, lease: &Lease) -> Result<(), NetlinkError> {
    let refused = NetlinkError::Refused { operation: "find eth0 in the instance's namespace", errno: Errno::NODEV };
    let index = by_name(socket, INNER_NAME)?.ok_or(refused)?.index;
    let subnet = Subnet::containing(lease.address, lease.prefix).ok_or(NetlinkError::Malformed)?;
    let mut batch = Batch::new();
    batch.message("set loopback up", RTM_NEWLINK, 0, &link_header(LOOPBACK_INDEX, IFF_UP), |_| ());
    batch.message("set eth0 up", RTM_NEWLINK, 0, &link_header(index, IFF_UP), |_| ());
    add_address(&mut batch, index, lease.address, subnet);
    let route = [AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0];
    let flags = NLM_F_CREATE | NLM_F_REPLACE;
    batch.message("add the default route", RTM_NEWROUTE, flags, &route, |m| {
        m.bytes(RTA_GATEWAY, &lease.gateway.octets());
        m.u32(RTA_OIF, index);
    });
    run(socket, batch)
}

/// Makes a lease's existing interface a port of the bridge and sets it up.
pub(crate) fn attach(socket: &Socket, lease: &Lease, bridge: u32) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    batch.message("attach the interface to the bridge", RTM_NEWLINK, 0, &link_header(0, IFF_UP), |m| {
        m.text(IFLA_IFNAME, &lease.interface);
        m.u32(IFLA_MTU, lease.mtu);
        m.u32(IFLA_MASTER, bridge);
    });
    run(socket, batch)?;
    configure_port(socket, lease)
}

/// Deletes an interface; not being there is no error.
pub(crate) fn delete(socket: &Socket, name: &str) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    batch.message("delete the interface", RTM_DELLINK, 0, &link_header(0, 0), |m| m.text(IFLA_IFNAME, name));
    match run(socket, batch) {
        Err(error) if error.refusal() == Some(Errno::NODEV) => Ok(()),
        result => result,
    }
}

fn run(socket: &Socket, mut batch: Batch) -> Result<(), NetlinkError> {
    batch.acknowledge_last();
    socket.execute(&batch, batch.last_sequence())
}

/// Tells the bridge which Ethernet address is behind the instance's port, the only one that may be there.
///
/// - locked: a frame from another address is dropped (since Linux 5.18), so an instance cannot pose as another one;
/// - no learning and no flooding of frames to unknown addresses: all addresses are known;
/// - hairpin: with br_netfilter the bridge itself translates a frame to a published port, and the instance may turn out to be
///   its own neighbour.
fn configure_port(socket: &Socket, lease: &Lease) -> Result<(), NetlinkError> {
    let refused = NetlinkError::Refused { operation: "find the instance's interface", errno: Errno::NODEV };
    let index = by_name(socket, &lease.interface)?.ok_or(refused)?.index;
    let mut batch = Batch::new();
    let mut entry = [AF_BRIDGE, 0, 0, 0, 0, 0, 0, 0, NUD_NOARP, 0, NTF_MASTER, 0];
    entry[4..8].copy_from_slice(&index.to_ne_bytes());
    batch.message("add the bridge's forwarding entry", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &entry, |m| {
        m.bytes(NDA_LLADDR, &lease.mac.0);
    });
    batch.message("configure the bridge port", RTM_NEWLINK, 0, &link_header(index, 0), |m| {
        m.nest(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_SLAVE_KIND, "bridge");
            info.nest(IFLA_INFO_SLAVE_DATA, |data| {
                data.bytes(IFLA_BRPORT_MODE, &[1]);
                data.bytes(IFLA_BRPORT_LEARNING, &[0]);
                data.bytes(IFLA_BRPORT_UNICAST_FLOOD, &[0]);
                data.bytes(IFLA_BRPORT_LOCKED, &[1]);
            });
        });
    });
    run(socket, batch)
}

fn add_address(batch: &mut Batch, index: u32, address: Ipv4Addr, subnet: Subnet) {
    let mut header = [AF_INET, subnet.prefix(), 0, 0, 0, 0, 0, 0];
    header[4..].copy_from_slice(&index.to_ne_bytes());
    batch.message("add the address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &header, |m: &mut Nest<'_>| {
        m.bytes(IFA_LOCAL, &address.octets());
        m.bytes(IFA_ADDRESS, &address.octets());
        m.bytes(IFA_BROADCAST, &subnet.broadcast().octets());
    });
}

/// `struct ifinfomsg` of linux/rtnetlink.h: family, type, index, flags, mask of the flags that count.
fn link_header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&flags.to_ne_bytes());
    header
}

fn parse_link(message: &Message) -> Option<Link> {
    if message.kind != RTM_NEWLINK {
        return None;
    }
    let (header, attributes) = message.payload.split_first_chunk::<16>()?;
    let mut link = Link {
        index: u32_ne(&header[4..8])?,
        name: String::new(),
        up: u32_ne(&header[8..12])? & IFF_UP != 0,
        mtu: 0,
        master: None,
        kind: String::new(),
        alias: String::new(),
    };
    for attribute in Attributes(attributes) {
        match attribute.kind {
            IFLA_IFNAME => link.name = text(attribute.payload)?.to_owned(),
            IFLA_MTU => link.mtu = u32_ne(attribute.payload)?,
            IFLA_MASTER => link.master = u32_ne(attribute.payload),
            IFLA_IFALIAS => link.alias = text(attribute.payload).unwrap_or_default().to_owned(),
            IFLA_LINKINFO => {
                link.kind = find(attribute.payload, IFLA_INFO_KIND).and_then(text).unwrap_or_default().to_owned();
            }
            _ => {}
        }
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_found_by_name() {
        let socket = Socket::route().unwrap();
        let link = by_name(&socket, "lo").unwrap().unwrap();
        assert_eq!((link.index, link.name.as_str(), link.master), (1, "lo", None));
        assert_eq!(by_name(&socket, "no-such-link").unwrap(), None);
    }
}
