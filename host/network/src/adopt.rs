//! Taking over the interface that somebody else configured in a network namespace, for an instance with a network stack of its
//! own: CNI plugins and Docker give a container's namespace an interface with an address, and a unikernel or a microVM is to
//! have just that address.
//!
//! The interface loses its address and becomes one port of a bridge without any; a TAP device is the other port; the
//! instance gets the Ethernet and IPv4 addresses and the route. What was found is kept in the bridge's alias, so that a second
//! instance in the same namespace, after the first, finds it again.

use crate::Attachment;
use crate::link::{self, Found};
use crate::netlink::{NetlinkError, Socket};
use crate::tap::{self, TapOptions};

const BRIDGE: &str = "crcl-adopt";
const TAP: &str = "crcl-tap";

/// Why no interface could be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The kernel refused.
    #[error("cannot take over the network interface of the instance's namespace")]
    Netlink(#[from] NetlinkError),
    /// No TAP device.
    #[error("cannot open a TAP device in the instance's network namespace; is /dev/net/tun there?")]
    Tap(#[source] std::io::Error),
    /// More than one candidate.
    #[error(
        "the network namespace has several interfaces with an IPv4 address ({0} and {1}); an instance takes over one"
    )]
    Several(String, String),
}

/// Takes over the interface with an IPv4 address of the calling thread's network namespace; `None` if there is only loopback.
///
/// # Errors
/// [`AdoptError`].
pub fn adopt(options: TapOptions) -> Result<Option<Attachment>, AdoptError> {
    let socket = Socket::route()?;
    let Some((found, fresh)) = find(&socket)? else { return Ok(None) };
    let bridge = if fresh { link::move_to_bridge(&socket, &found, BRIDGE)? } else { index_of(&socket, BRIDGE)? };
    let tap = tap::open(TAP, options).map_err(AdoptError::Tap)?;
    link::enslave(&socket, TAP, bridge, found.mtu)?;
    let Found { address, prefix, gateway, mac, mtu, .. } = found;
    // Without a default route everything that can be reached is on the link.
    let gateway = gateway.unwrap_or(address);
    Ok(Some(Attachment { tap, address, prefix, gateway, mac, dns: Vec::new(), mtu }))
}

fn index_of(socket: &Socket, name: &str) -> Result<u32, AdoptError> {
    Ok(link::by_name(socket, name)?.ok_or(NetlinkError::Malformed)?.index)
}

/// The interface, and whether it has its address still.
fn find(socket: &Socket) -> Result<Option<(Found, bool)>, AdoptError> {
    if let Some(bridge) = link::by_name(socket, BRIDGE)?
        && let Some(found) = recall(&bridge.alias)
    {
        return Ok(Some((found, false)));
    }
    let mut candidates = link::with_ipv4(socket)?.into_iter();
    match (candidates.next(), candidates.next()) {
        (Some(one), Some(other)) if one.index != other.index => Err(AdoptError::Several(one.name, other.name)),
        (one, _) => Ok(one.map(|found| (found, true))),
    }
}

/// The text for the alias, which [`recall`] reads.
pub(crate) fn remember(found: &Found) -> String {
    let Found { address, prefix, gateway, mac, mtu, .. } = found;
    let gateway = gateway.map_or_else(|| "-".to_owned(), |gateway| gateway.to_string());
    format!("coracle adopted {address}/{prefix} {gateway} {mac} {mtu}")
}

fn recall(alias: &str) -> Option<Found> {
    let mut words = alias.strip_prefix("coracle adopted ")?.split(' ');
    let (address, prefix) = words.next()?.split_once('/')?;
    let gateway = words.next()?;
    Some(Found {
        index: 0,
        name: String::new(),
        address: address.parse().ok()?,
        prefix: prefix.parse().ok().filter(|prefix| *prefix <= 32)?,
        gateway: if gateway == "-" { None } else { Some(gateway.parse().ok()?) },
        mac: words.next()?.parse().ok()?,
        mtu: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use plan::MacAddress;

    use super::*;

    #[test]
    fn what_was_found_is_recalled() {
        let found = Found {
            index: 0,
            name: String::new(),
            address: Ipv4Addr::new(10, 88, 0, 5),
            prefix: 16,
            gateway: Some(Ipv4Addr::new(10, 88, 0, 1)),
            mac: MacAddress([2, 0, 0, 0, 0, 9]),
            mtu: 1450,
        };
        assert_eq!(recall(&remember(&found)), Some(found.clone()));
        let alone = Found { gateway: None, ..found };
        assert_eq!(recall(&remember(&alone)), Some(alone));
        for bad in ["", "coracle adopted", "coracle adopted 10.0.0.1/33 - 02:00:00:00:00:01 1500", "something else"] {
            assert_eq!(recall(bad), None, "{bad}");
        }
    }
}
