use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use plan::{InstanceId, MacAddress, PortMapping};
use serde::{Deserialize, Serialize};

use crate::{Attachment, Subnet};

/// What an instance has on the network, from `lease` to `release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The instance.
    pub id: InstanceId,
    /// The instance's name, by which the others find it.
    pub name: String,
    /// The instance's address.
    pub address: Ipv4Addr,
    /// The subnet's prefix length.
    pub prefix: u8,
    /// The bridge's address: default route and name server.
    pub gateway: Ipv4Addr,
    /// The Ethernet address inside the instance. It follows from the address, so neighbours' caches stay right when the
    /// address is given out again.
    pub mac: MacAddress,
    /// The host's end: a veth or TAP interface on the bridge.
    pub interface: String,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// Ports of the host that lead into the instance.
    pub published: Vec<PortMapping>,
}

impl Lease {
    /// The connection of an instance that has this lease and this TAP device.
    pub fn attachment(&self, tap: OwnedFd) -> Attachment {
        let Self { address, prefix, gateway, mac, mtu, .. } = *self;
        Attachment { tap, address, prefix, gateway, mac, dns: self.dns.clone(), mtu }
    }

    /// The subnet's netmask.
    pub fn netmask(&self) -> Ipv4Addr {
        Subnet::containing(self.address, self.prefix).map_or(Ipv4Addr::BROADCAST, Subnet::mask)
    }
}

/// A locally administered Ethernet address (IEEE 802, second lowest bit of the first byte) made from an IPv4 address.
pub(crate) fn mac_of(address: Ipv4Addr) -> MacAddress {
    let [a, b, c, d] = address.octets();
    MacAddress([0x02, 0xc0, a, b, c, d])
}

/// The text of an instance's `/etc/resolv.conf`, resolv.conf(5).
pub fn resolv_conf(lease: &Lease) -> String {
    let mut text = String::new();
    for server in &lease.dns {
        let _ = writeln!(text, "nameserver {server}");
    }
    text
}

/// The text of an instance's `/etc/hosts`, hosts(5).
pub fn etc_hosts(lease: &Lease, hostname: &str) -> String {
    let mut own = format!("{}\t{hostname}", lease.address);
    if lease.name != hostname {
        let _ = write!(own, " {}", lease.name);
    }
    format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{own}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_instance() {
        let id = InstanceId::from_bytes([7; 32]);
        let address = Ipv4Addr::new(10, 88, 0, 2);
        let gateway = Ipv4Addr::new(10, 88, 0, 1);
        let lease = Lease {
            interface: id.interface_name(),
            id,
            name: "db".to_owned(),
            address,
            prefix: 16,
            gateway,
            mac: mac_of(address),
            dns: vec![gateway.into()],
            mtu: 1500,
            published: vec!["80:8080".parse().unwrap()],
        };
        assert_eq!(resolv_conf(&lease), "nameserver 10.88.0.1\n");
        assert!(etc_hosts(&lease, "web").ends_with("10.88.0.2\tweb db\n"));
        assert!(etc_hosts(&lease, "db").ends_with("10.88.0.2\tdb\n"));
        assert_eq!(
            (lease.mac.to_string(), lease.netmask().to_string()),
            ("02:c0:0a:58:00:02".into(), "255.255.0.0".into())
        );
        let json = serde_json::to_string(&lease).unwrap();
        assert_eq!(serde_json::from_str::<Lease>(&json).unwrap(), lease);
    }
}
