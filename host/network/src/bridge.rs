//! The bridge and what belongs to it: its address, forwarding, and the packet filter.
//!
//! The bridge's alias names the run directory that owns it and is set last, so a bridge with our alias is complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::lease::mac_of;
use crate::link::{self, Link};
use crate::netlink::Socket;
use crate::nft::Table;
use crate::store::Store;
use crate::{Config, Error, Subnet, used};

/// What the kernel keeps of an alias: `IFALIASZ` is 256; the subnet and a terminating zero need their share.
const LONGEST_DIRECTORY: usize = 200;

/// The largest packet without a default route to go by: Ethernet's.
const DEFAULT_MTU: u32 = 1500;
/// What every IPv4 host must take (RFC 791), and what a bridge can have.
const SMALLEST_MTU: u32 = 576;
const LARGEST_MTU: u32 = 65535;

/// What a lease takes over from the bridge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bridge {
    pub(crate) subnet: Subnet,
    pub(crate) mtu: u32,
}

/// Finds the bridge or makes it.
///
/// The store must be locked.
pub(crate) fn ensure(config: &Config, store: &Store, socket: &Socket, table: &Table<'_>) -> Result<Bridge, Error> {
    let found = link::by_name(socket, &config.bridge)?;
    let owner = found.as_ref().and_then(|link| parse_alias(&link.alias));
    match (&found, owner) {
        (Some(link), Some((subnet, directory)))
            if directory == store.directory() && link.up && wanted(config, subnet) =>
        {
            if !table.exists().map_err(Error::nftables)? {
                table.create(subnet, &store.leases()?).map_err(Error::nftables)?;
            }
            return Ok(Bridge { subnet, mtu: link.mtu });
        }
        (Some(link), _) if link.kind != "bridge" => {
            return Err(Error::ForeignBridge { bridge: config.bridge.clone() });
        }
        (Some(_), Some((_, directory))) if directory != store.directory() => take_over(config, &directory)?,
        (Some(link), None) if !link.alias.is_empty() => {
            return Err(Error::ForeignBridge { bridge: config.bridge.clone() });
        }
        _ => {}
    }
    set_up(config, store, socket, found, table)
}

fn wanted(config: &Config, subnet: Subnet) -> bool {
    config.subnet.is_none_or(|configured| configured == subnet)
}

/// Makes sure that the bridge's owner has no instances. The bridge is then ours to make anew.
fn take_over(config: &Config, directory: &Path) -> Result<(), Error> {
    let in_use = || Error::BridgeInUse { bridge: config.bridge.clone(), owner: directory.to_owned() };
    let Some(other) = Store::existing(directory) else { return Ok(()) };
    // Two processes that take over each other's bridge would wait for ever, so do not wait.
    let locked = other.try_lock().map_err(|_| in_use())?;
    let idle = other.ids()?.is_empty();
    drop(locked);
    if idle { Ok(()) } else { Err(in_use()) }
}

fn set_up(
    config: &Config,
    store: &Store,
    socket: &Socket,
    found: Option<Link>,
    table: &Table<'_>,
) -> Result<Bridge, Error> {
    let leases = store.leases()?;
    let held = leases.first().and_then(|lease| Subnet::containing(lease.address, lease.prefix));
    let used = used_subnets(socket, found.as_ref().map(|link| link.index))?;
    let subnet = choose(config, held, &used)?;
    let alias = alias(subnet, store.directory())?;
    let mtu = choose_mtu(config, socket)?;
    if found.is_some() {
        // Whatever state it is in. Ports of running instances, if any, are put back below.
        link::delete(socket, &config.bridge)?;
    }
    link::create_bridge(socket, &config.bridge, mac_of(subnet.gateway()), mtu)?;
    let missing = || Error::ForeignBridge { bridge: config.bridge.clone() };
    let index = link::by_name(socket, &config.bridge)?.ok_or_else(missing)?.index;
    set_sysctl(&format!("net/ipv4/conf/{}/route_localnet", config.bridge))?;
    set_sysctl("net/ipv4/ip_forward")?;
    table.create(subnet, &leases).map_err(Error::nftables)?;
    let links = link::all(socket)?;
    for lease in leases.iter().filter(|lease| links.iter().any(|link| link.name == lease.interface)) {
        link::attach(socket, lease, index)?;
    }
    link::finish_bridge(socket, index, subnet, &alias)?;
    Ok(Bridge { subnet, mtu })
}

fn choose_mtu(config: &Config, socket: &Socket) -> Result<u32, Error> {
    if let Some(mtu) = config.mtu {
        return Ok(mtu);
    }
    let Some(uplink) = used::default_interface(socket)? else { return Ok(DEFAULT_MTU) };
    let mtu = link::all(socket)?.iter().find(|link| link.index == uplink).map(|link| link.mtu);
    Ok(mtu.unwrap_or(DEFAULT_MTU).clamp(SMALLEST_MTU, LARGEST_MTU))
}

fn choose(config: &Config, held: Option<Subnet>, used: &[Subnet]) -> Result<Subnet, Error> {
    if let Some(subnet) = config.subnet {
        if let Some(held) = held.filter(|held| *held != subnet) {
            return Err(Error::SubnetChange { subnet, held });
        }
        if !(8..=30).contains(&subnet.prefix()) {
            return Err(Error::SubnetSize(subnet));
        }
        return match used.iter().find(|other| other.overlaps(subnet)) {
            Some(other) => Err(Error::SubnetInUse { subnet, used: *other }),
            None => Ok(subnet),
        };
    }
    let free = |subnet: &Subnet| !used.iter().any(|other| other.overlaps(*subnet));
    held.filter(free).or_else(|| crate::subnet::choose(used)).ok_or(Error::NoFreeSubnet)
}

/// The ranges that the host uses: routes, addresses, and its name servers, which may be behind the default route.
fn used_subnets(socket: &Socket, ignored: Option<u32>) -> Result<Vec<Subnet>, Error> {
    let mut found = used::subnets(socket, ignored)?;
    let servers = crate::dns::host_servers();
    found.extend(servers.iter().filter_map(|server| match server.ip() {
        std::net::IpAddr::V4(ip) => Subnet::containing(ip, 32),
        std::net::IpAddr::V6(_) => None,
    }));
    Ok(found)
}

/// Switches a kernel setting on; see Documentation/networking/ip-sysctl.rst of the kernel.
fn set_sysctl(name: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/{name}");
    let is_on = |text: String| text.trim() == "1";
    if fs::read_to_string(&path).is_ok_and(is_on) {
        return Ok(());
    }
    fs::write(&path, "1").map_err(|source: io::Error| Error::Sysctl { path, value: "1", source })
}

fn alias(subnet: Subnet, directory: &Path) -> Result<String, Error> {
    let path = directory.to_str().filter(|path| path.len() <= LONGEST_DIRECTORY);
    let path = path.ok_or_else(|| Error::Name(directory.to_string_lossy().into_owned()))?;
    Ok(format!("{subnet} {path}"))
}

/// The subnet and the owner of a bridge.
pub(crate) fn parse_alias(alias: &str) -> Option<(Subnet, PathBuf)> {
    let (subnet, directory) = alias.split_once(' ')?;
    Some((subnet.parse().ok()?, PathBuf::from(directory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_read_back() {
        let subnet: Subnet = "10.88.0.0/16".parse().unwrap();
        let text = alias(subnet, Path::new("/run/a b/network")).unwrap();
        assert_eq!(parse_alias(&text), Some((subnet, PathBuf::from("/run/a b/network"))));
        assert_eq!(parse_alias("uplink"), None);
        assert!(alias(subnet, Path::new(&"x".repeat(201))).is_err());
    }

    #[test]
    fn a_configured_subnet_is_checked_not_replaced() {
        let config = |text: &str| Config { subnet: Some(text.parse().unwrap()), ..Config::default() };
        let used = ["10.0.0.0/8".parse().unwrap()];
        assert!(matches!(choose(&config("10.1.0.0/16"), None, &used), Err(Error::SubnetInUse { .. })));
        assert!(matches!(choose(&config("10.1.0.0/31"), None, &[]), Err(Error::SubnetSize(_))));
        let held: Option<Subnet> = "192.168.9.0/24".parse().ok();
        assert!(matches!(choose(&config("10.1.0.0/16"), held, &[]), Err(Error::SubnetChange { .. })));
        assert_eq!(choose(&Config::default(), held, &used).ok(), held, "existing leases keep their subnet");
    }
}
