//! Names of instances: a small DNS responder (RFC 1035) on the bridge's address.
//!
//! Every running supervisor binds the same port with `SO_REUSEPORT` (socket(7)) and the kernel picks one of them per client, so
//! there is an answer as long as one instance runs. Names of instances are answered from the lease files; all else goes to the
//! host's own name servers.

mod answer;
mod message;
mod names;
mod pending;
mod resolver;

pub use message::{Query, QueryError, parse_query};
pub use resolver::Resolver;

use std::net::{IpAddr, SocketAddr};

/// Where name servers listen, RFC 1035 section 4.2.
const PORT: u16 = 53;

/// The host's name servers, resolv.conf(5); none if there is no such file.
pub(crate) fn host_servers() -> Vec<SocketAddr> {
    std::fs::read_to_string("/etc/resolv.conf").map_or_else(|_| Vec::new(), |text| parse_servers(&text))
}

/// The `nameserver` lines of a resolv.conf. Link-local IPv6 servers, which need an interface, are left out.
fn parse_servers(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = (words.next()? == "nameserver").then(|| words.next())??;
        Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, PORT))
    };
    text.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_the_host() {
        let text = "# made by hand\nsearch example.org\nnameserver 10.0.0.1\n nameserver\t::1 # x\nnameserver fe80::1%eth0\nnameserver\n";
        assert_eq!(parse_servers(text), ["10.0.0.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    }
}
