use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use plan::{InstanceId, Protocol};
use rustix::io::Errno;

use crate::Subnet;
use crate::netlink::NetlinkError;

/// Why something about the network failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the run directory could not be read or written.
    #[error("cannot {action} '{path}'")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A lease file is damaged.
    #[error(
        "the lease '{path}' is damaged; remove the instance with 'coracle rm -f' or run 'coracle system check --fix'"
    )]
    DamagedLease {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: serde_json::Error,
    },
    /// The kernel's network configuration could not be read or changed.
    #[error("the host's network could not be set up (this needs root)")]
    Netlink(#[from] NetlinkError),
    /// The kernel has no nftables.
    #[error(
        "the kernel has no nftables NAT (CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_FIB_IPV4); use --network none"
    )]
    NoNftables(#[source] NetlinkError),
    /// A kernel setting could not be changed.
    #[error("cannot write '{value}' to '{path}'")]
    Sysctl {
        /// The file below `/proc/sys`.
        path: String,
        /// The value.
        value: &'static str,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The bridge's name is taken by something else.
    #[error("the interface '{bridge}' exists and is not a bridge of this engine; choose another bridge name")]
    ForeignBridge {
        /// The interface.
        bridge: String,
    },
    /// Another run directory has instances on the bridge.
    #[error("the bridge '{bridge}' is in use by the instances in '{owner}'; choose another bridge name or stop those")]
    BridgeInUse {
        /// The bridge.
        bridge: String,
        /// The other run directory.
        owner: PathBuf,
    },
    /// The bridge's name or the run directory's path is too long for the kernel.
    #[error("'{0}' is empty or too long for the kernel (bridge names: 15 bytes, run directories: 200 bytes)")]
    Name(String),
    /// The configured subnet is in use on the host.
    #[error("the subnet {subnet} overlaps {used}, which this host already uses; choose another subnet")]
    SubnetInUse {
        /// The configured subnet.
        subnet: Subnet,
        /// What the host uses.
        used: Subnet,
    },
    /// Instances have addresses of another subnet.
    #[error("the subnet cannot become {subnet} while instances have addresses of {held}; remove them first")]
    SubnetChange {
        /// The configured subnet.
        subnet: Subnet,
        /// The subnet of the leases.
        held: Subnet,
    },
    /// The subnet has no room for an instance or is not for hosts.
    #[error("the subnet {0} is too small for instances; choose one with a prefix of 8 to 30 bits")]
    SubnetSize(Subnet),
    /// All candidate subnets are in use on the host.
    #[error("all private address ranges that are tried overlap routes of this host; choose a subnet explicitly")]
    NoFreeSubnet,
    /// Every address is leased.
    #[error(
        "address pool empty: all {size} addresses of {subnet} are leased; remove instances or choose a larger subnet"
    )]
    PoolEmpty {
        /// The subnet.
        subnet: Subnet,
        /// The number of its addresses for instances.
        size: u32,
    },
    /// An address that instances of this bridge cannot have.
    #[error(
        "{address} is not an address for instances of the bridge's subnet {subnet}; choose another with --ip, or none"
    )]
    AddressOutside {
        /// What was asked for.
        address: std::net::Ipv4Addr,
        /// The bridge's subnet.
        subnet: Subnet,
    },
    /// Another instance has the address.
    #[error("the address {address} belongs to the instance '{holder}'; choose another with --ip, or none")]
    AddressInUse {
        /// What was asked for.
        address: std::net::Ipv4Addr,
        /// Its holder.
        holder: String,
    },
    /// The instance has no lease (any more).
    #[error("the instance {0} has no network lease")]
    NoLease(InstanceId),
    /// A port is published by another instance.
    #[error("port {port}/{protocol} is in use: the instance '{holder}' publishes it; choose another host port")]
    PortPublished {
        /// The port.
        port: u16,
        /// The protocol.
        protocol: Protocol,
        /// The instance's name or short id.
        holder: String,
    },
    /// A port is in use by a program on the host.
    #[error("port {port}/{protocol} is in use by a program on this host (see 'ss -lntup'); choose another host port")]
    PortInUse {
        /// The port.
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// The same port is asked for twice.
    #[error("port {port}/{protocol} is published twice by the same instance")]
    PortTwice {
        /// The port.
        port: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// The host does not have the address to publish at.
    #[error("cannot publish at {address}: it is not an address of this host")]
    NotOurAddress {
        /// The address.
        address: IpAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Publishing at an IPv6 address.
    #[error("cannot publish at {address}: only IPv4 addresses are supported; leave the address out or write 127.0.0.1")]
    Ipv6NotSupported {
        /// The address.
        address: IpAddr,
    },
    /// A published port could not be tested.
    #[error("cannot find out whether port {port}/{protocol} is free")]
    PortTest {
        /// The port.
        port: u16,
        /// The protocol.
        protocol: Protocol,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The TAP device could not be opened.
    #[error("cannot create the TAP interface '{interface}' (is /dev/net/tun there, and is this root?)")]
    Tap {
        /// The interface.
        interface: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The instance's network namespace could not be entered.
    #[error("cannot enter the instance's network namespace")]
    Namespace(#[source] io::Error),
    /// The name server could not be started.
    #[error("cannot start the name server on {address}")]
    Resolver {
        /// The bridge's address.
        address: IpAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Tells a kernel without nftables from a caller without privilege.
    pub(crate) fn nftables(error: NetlinkError) -> Self {
        match error.refusal() {
            Some(Errno::PERM | Errno::ACCESS) => Self::Netlink(error),
            _ => Self::NoNftables(error),
        }
    }

    /// Makes a closure for `map_err` on a file operation.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
