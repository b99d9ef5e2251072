use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use plan::MacAddress;

/// The instance's connection: an open TAP device and what the guest is to know about it.
#[derive(Debug)]
pub struct NetAttachment {
    /// A TAP device opened with `IFF_TAP | IFF_NO_PI` (and `IFF_VNET_HDR` if the kernel is to do the checksums).
    pub tap: OwnedFd,
    /// The guest's address.
    pub address: Ipv4Addr,
    /// The length of its network prefix, in bits.
    pub prefix: u8,
    /// The default route.
    pub gateway: Ipv4Addr,
    /// The guest interface's hardware address.
    pub mac: MacAddress,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// The largest packet, in bytes.
    pub mtu: u32,
}

impl NetAttachment {
    /// The guest's part.
    pub(crate) fn for_agent(&self) -> agent_proto::Network {
        let Self { address, prefix, gateway, mtu, .. } = *self;
        agent_proto::Network { address, prefix, gateway, mtu, dns: self.dns.clone() }
    }
}
