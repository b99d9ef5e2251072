//! Checks of published ports before anything is changed.

use std::net::{IpAddr, SocketAddr};

use plan::{PortMapping, Protocol};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use crate::Error;

/// Refuses what can never be published: IPv6 addresses, and a port twice.
pub(crate) fn check_list(mappings: &[PortMapping]) -> Result<(), Error> {
    for (index, mapping) in mappings.iter().enumerate() {
        if let address @ IpAddr::V6(_) = mapping.host_ip {
            return Err(Error::Ipv6NotSupported { address });
        }
        if mappings[..index].iter().any(|earlier| overlap(earlier, mapping)) {
            return Err(Error::PortTwice { port: mapping.host_port, protocol: mapping.protocol });
        }
    }
    Ok(())
}

fn overlap(a: &PortMapping, b: &PortMapping) -> bool {
    let addresses = a.host_ip == b.host_ip || a.host_ip.is_unspecified() || b.host_ip.is_unspecified();
    (a.protocol, a.host_port) == (b.protocol, b.host_port) && addresses
}

/// Tells whether a program on the host could listen on this port now, by binding a socket to it for a moment.
///
/// A port that is translated to an instance never reaches the host's sockets, so it would silently take the port away from a
/// program that is already there.
pub(crate) fn check_free_on_host(mapping: &PortMapping) -> Result<(), Error> {
    let (port, protocol) = (mapping.host_port, mapping.protocol);
    match try_bind(SocketAddr::new(mapping.host_ip, port), protocol) {
        Ok(()) => Ok(()),
        Err(Errno::ADDRINUSE) => Err(Error::PortInUse { port, protocol }),
        Err(error @ Errno::ADDRNOTAVAIL) => {
            Err(Error::NotOurAddress { address: mapping.host_ip, source: error.into() })
        }
        Err(error) => Err(Error::PortTest { port, protocol, source: error.into() }),
    }
}

fn try_bind(address: SocketAddr, protocol: Protocol) -> Result<(), Errno> {
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None)?;
    // Connections in TIME_WAIT do not count, listeners do: SO_REUSEADDR of socket(7).
    if protocol == Protocol::Tcp {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &address)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn mapping(text: &str) -> PortMapping {
        text.parse().unwrap()
    }

    #[test]
    fn lists_that_can_never_be_published() {
        let twice = [mapping("80:1"), mapping("127.0.0.1:80:2")];
        assert!(matches!(check_list(&twice), Err(Error::PortTwice { port: 80, .. })));
        assert!(matches!(check_list(&[mapping("[::1]:80:1")]), Err(Error::Ipv6NotSupported { .. })));
        check_list(&[mapping("80:1"), mapping("80:1/udp"), mapping("81:1")]).unwrap();
        check_list(&[mapping("127.0.0.1:80:1"), mapping("127.0.0.2:80:1")]).unwrap();
    }

    #[test]
    fn listeners_of_the_host_are_seen() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let wanted = mapping(&format!("{port}:80"));
        assert!(matches!(check_free_on_host(&wanted), Err(Error::PortInUse { .. })));
        drop(tcp);
        check_free_on_host(&wanted).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let wanted = mapping(&format!("127.0.0.1:{}:53/udp", udp.local_addr().unwrap().port()));
        assert!(matches!(check_free_on_host(&wanted), Err(Error::PortInUse { .. })));
        assert!(matches!(check_free_on_host(&mapping("192.0.2.1:80:80")), Err(Error::NotOurAddress { .. })));
    }
}
