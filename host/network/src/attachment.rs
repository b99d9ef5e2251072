use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use plan::MacAddress;

/// The connection of an instance with a network stack of its own: an open TAP device, and what the instance is to know of it.
#[derive(Debug)]
pub struct Attachment {
    /// The TAP device, with a virtio-net header and not blocking ([`TapOptions`](crate::TapOptions)).
    pub tap: OwnedFd,
    /// The instance's address.
    pub address: Ipv4Addr,
    /// The length of the subnet's prefix.
    pub prefix: u8,
    /// The default gateway.
    pub gateway: Ipv4Addr,
    /// The instance's Ethernet address.
    pub mac: MacAddress,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// The largest packet in bytes.
    pub mtu: u32,
}
