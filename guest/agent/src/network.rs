//! The network interface, `/etc/hosts` and `/etc/resolv.conf`.

use std::fmt::Write;
use std::fs;

use agent_proto::Network;

use crate::error::Error;
use crate::netlink;

const LOOPBACK: u32 = 1;

/// Brings loopback up and, if there is a network, configures `eth0`.
pub(crate) fn configure(network: Option<&Network>) -> Result<(), Error> {
    let failed = |what| move |source| Error::Network { what, source };
    let socket = netlink::socket().map_err(failed("opening a netlink socket"))?;
    netlink::request(&socket, &netlink::link_up(LOOPBACK, None)).map_err(failed("bringing lo up"))?;
    let Some(network) = network else { return Ok(()) };
    let index = fs::read_to_string("/sys/class/net/eth0/ifindex").map_err(Error::io("looking for eth0"))?;
    let index = index.trim().parse().map_err(|_| Error::OutOfOrder)?;
    let steps = [
        ("bringing eth0 up", netlink::link_up(index, Some(network.mtu))),
        ("setting the address", netlink::add_address(index, network.address, network.prefix)),
        ("setting the default route", netlink::add_default_route(network.gateway)),
    ];
    for (what, bytes) in steps {
        netlink::request(&socket, &bytes).map_err(failed(what))?;
    }
    Ok(())
}

/// The text of `/etc/hosts`.
pub(crate) fn hosts(hostname: &str, name: &str, network: Option<&Network>) -> String {
    let mut text = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    let address = network.map_or_else(|| "127.0.1.1".to_owned(), |network| network.address.to_string());
    let alias = if name == hostname { String::new() } else { format!(" {name}") };
    let _ = writeln!(text, "{address}\t{hostname}{alias}");
    text
}

/// The text of `/etc/resolv.conf`.
pub(crate) fn resolv_conf(network: Option<&Network>) -> String {
    let servers = network.map(|network| network.dns.as_slice()).unwrap_or_default();
    servers.iter().fold(String::new(), |mut text, server| {
        let _ = writeln!(text, "nameserver {server}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_name_the_host_and_the_servers() {
        let network = Network {
            address: [10, 88, 0, 5].into(),
            prefix: 16,
            gateway: [10, 88, 0, 1].into(),
            dns: vec!["10.88.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
            mtu: 1500,
        };
        assert!(hosts("web", "web", Some(&network)).ends_with("10.88.0.5\tweb\n"));
        assert!(hosts("web", "db", None).contains("127.0.1.1\tweb db\n"));
        assert_eq!(resolv_conf(Some(&network)), "nameserver 10.88.0.1\nnameserver fd00::1\n");
        assert_eq!(resolv_conf(None), "");
    }
}
