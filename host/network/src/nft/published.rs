use std::net::{IpAddr, Ipv4Addr};

use plan::{PortMapping, Protocol};

use super::{DELETE_ELEMENT, GET_ELEMENT, HEADER, NEW_ELEMENT, NEW_SET, NLM_F_CREATE, Table};
use crate::Lease;
use crate::netlink::{Attributes, Batch, NetlinkError, find};

/// The numbers by which nft(8) knows data types (`enum datatypes` of its datatype.h); the kernel ignores them.
const TYPE_ADDRESS: u32 = 7;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_PORT: u32 = 13;
/// `NFT_SET_MAP`.
const MAP: u32 = 8;

/// The two maps from a host port to an instance's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishedMap {
    /// Ports at one address of the host.
    AtAddress,
    /// Ports at all addresses of the host.
    AtAny,
}

impl PublishedMap {
    pub(crate) const ALL: [Self; 2] = [Self::AtAddress, Self::AtAny];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AtAddress => "at_address",
            Self::AtAny => "at_any",
        }
    }

    const fn key_length(self) -> u32 {
        match self {
            Self::AtAddress => 12,
            Self::AtAny => 8,
        }
    }

    const fn key_type(self) -> u32 {
        let any = TYPE_PROTOCOL << 6 | TYPE_PORT;
        match self {
            Self::AtAddress => TYPE_ADDRESS << 12 | any,
            Self::AtAny => any,
        }
    }
}

/// One element of a map: each part of key and data is padded to four bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    map: PublishedMap,
    key: Vec<u8>,
    data: Vec<u8>,
}

impl Element {
    /// The elements for a lease's published ports.
    pub(crate) fn of(lease: &Lease) -> Vec<Self> {
        lease.published.iter().filter_map(|mapping| Self::new(mapping, lease.address)).collect()
    }

    fn new(mapping: &PortMapping, address: Ipv4Addr) -> Option<Self> {
        let IpAddr::V4(host_ip) = mapping.host_ip else { return None };
        let mut key = Vec::with_capacity(12);
        let map = if host_ip.is_unspecified() { PublishedMap::AtAny } else { PublishedMap::AtAddress };
        if map == PublishedMap::AtAddress {
            key.extend(host_ip.octets());
        }
        let protocol = match mapping.protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        };
        key.extend([protocol, 0, 0, 0]);
        key.extend(padded(mapping.host_port));
        let data = [address.octets(), padded(mapping.port)].concat();
        Some(Self { map, key, data })
    }

    /// The element as a user writes it.
    pub(crate) fn describe(&self) -> String {
        let port = self.key.rchunks(4).next().map_or(0, |p| u16::from_be_bytes([p[0], p[1]]));
        let to = self.data.first_chunk::<4>().map_or(Ipv4Addr::UNSPECIFIED, |octets| Ipv4Addr::from(*octets));
        format!("port {port} to {to}")
    }
}

fn padded(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

impl Table<'_> {
    /// All published ports that the kernel knows.
    pub(crate) fn published(&self) -> Result<Vec<Element>, NetlinkError> {
        let mut found = Vec::new();
        for map in PublishedMap::ALL {
            let messages = self.socket.dump("list the published ports", GET_ELEMENT, &HEADER, |m| {
                m.text(1, self.bridge);
                m.text(2, map.name());
            })?;
            for message in &messages {
                let list = message.payload.get(4..).and_then(|attributes| find(attributes, 3)).unwrap_or_default();
                found.extend(Attributes(list).filter_map(|element| parse(map, element.payload)));
            }
        }
        Ok(found)
    }

    pub(super) fn map(&self, batch: &mut Batch, map: PublishedMap) {
        batch.message("create an nftables map", NEW_SET, NLM_F_CREATE, &HEADER, |m| {
            m.text(1, self.bridge);
            m.text(2, map.name());
            m.be32(3, MAP);
            m.be32(4, map.key_type());
            m.be32(5, map.key_length());
            m.be32(6, TYPE_ADDRESS << 6 | TYPE_PORT);
            m.be32(7, 8);
            m.be32(10, 1 + map as u32);
        });
    }

    /// Adds or deletes elements, according to `kind`.
    pub(super) fn elements(&self, batch: &mut Batch, kind: u16, elements: &[Element]) {
        let operation = if kind == DELETE_ELEMENT { "remove a published port" } else { "add a published port" };
        let flags = if kind == NEW_ELEMENT { NLM_F_CREATE } else { 0 };
        for map in PublishedMap::ALL {
            let mut chosen = elements.iter().filter(|element| element.map == map).peekable();
            if chosen.peek().is_none() {
                continue;
            }
            batch.message(operation, kind, flags, &HEADER, |m| {
                m.text(1, self.bridge);
                m.text(2, map.name());
                m.nest(3, |list| {
                    for element in chosen {
                        list.nest(1, |e| {
                            e.nest(1, |key| key.bytes(1, &element.key));
                            e.nest(2, |data| data.bytes(1, &element.data));
                        });
                    }
                });
            });
        }
    }
}

fn parse(map: PublishedMap, element: &[u8]) -> Option<Element> {
    let value = |kind| find(element, kind).and_then(|data| find(data, 1)).map(<[u8]>::to_vec);
    Some(Element { map, key: value(1)?, data: value(2)? })
}
