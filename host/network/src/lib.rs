//! The instances' network: one bridge, an address per instance, translation on the way out, published ports, and names.
//!
//! A container is connected by a pair of veth interfaces, a unikernel or microVM by a TAP device; both are ports of the bridge,
//! whose own address is the instances' gateway and name server. Everything goes over netlink in few messages; no program is
//! run. There is no daemon: see [`Network`].
//!
//! Lock order: the lock of the store (a file of the run directory), then nothing; the lock of another run directory's store is
//! only tried, never waited for.

mod adopt;
mod attachment;
mod bridge;
mod check;
mod config;
mod dns;
mod error;
mod lease;
mod link;
mod netlink;
mod network;
mod nft;
mod ports;
mod store;
mod subnet;
mod tap;
mod used;

pub use adopt::{AdoptError, adopt};
pub use attachment::Attachment;
pub use check::Orphan;
pub use config::Config;
pub use dns::{Query, QueryError, Resolver, parse_query};
pub use error::Error;
pub use lease::{Lease, etc_hosts, resolv_conf};
pub use netlink::NetlinkError;
pub use network::{Network, Wishes};
pub use subnet::{Subnet, SubnetParseError};
pub use tap::TapOptions;
