use crate::Subnet;

/// What a user may choose about the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The bridge's name, at most 15 bytes; the nftables table has the same.
    pub bridge: String,
    /// The instances' subnet; `None` takes the first private range that no route of the host overlaps.
    pub subnet: Option<Subnet>,
    /// The largest packet in bytes, on the bridge and inside; `None` takes that of the interface with the host's default route, and
    /// 1500 without one. It is settled when the bridge is made.
    pub mtu: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self { bridge: "coracle0".to_owned(), subnet: None, mtu: None }
    }
}
