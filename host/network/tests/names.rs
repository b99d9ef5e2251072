//! Names of instances over the wire. Needs root.

mod common;

use std::net::UdpSocket;
use std::time::Duration;

use common::{Host, Namespace, id};
use network::Resolver;
use rustix::event::{PollFd, PollFlags, poll};

/// A query for an address (type 1) of a name.
fn query(number: u16, name: &str) -> Vec<u8> {
    let mut packet = number.to_be_bytes().to_vec();
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        packet.push(label.len() as u8);
        packet.extend(label.bytes());
    }
    packet.extend([0, 0, 1, 0, 1]);
    packet
}

fn ask(server: &str, name: &str) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    socket.send_to(&query(0x1234, name), server).unwrap();
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).ok()?;
    assert_eq!(buffer[..2], [0x12, 0x34]);
    Some(buffer[..length].to_vec())
}

#[test]
fn an_instance_asks_for_another_ones_name() {
    let host = Host::new();
    let outside = host.neighbour();
    let network = host.network();
    let namespace = Namespace::new();
    let (a, b) = host.run(|| {
        assert!(Resolver::bind(&network).unwrap().is_none(), "no bridge, no name server");
        let a = network.lease(&id(1), "web").unwrap();
        let b = network.lease(&id(2), "db").unwrap();
        network.connect_veth(&a, namespace.fd()).unwrap();
        (a, b)
    });
    let upstream = outside.run(|| UdpSocket::bind("192.0.2.2:5300").unwrap());
    let servers = vec!["192.0.2.2:5300".parse().unwrap()];
    let mut first = host.run(|| Resolver::bind_with(&network, servers).unwrap().unwrap());
    let second = host.run(|| Resolver::bind(&network).unwrap().expect("supervisors share the port"));
    drop(second);
    std::thread::spawn(move || {
        loop {
            poll(&mut [PollFd::new(&first.fd(), PollFlags::IN)], None).unwrap();
            first.handle_ready();
        }
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        let (length, from) = upstream.recv_from(&mut buffer).unwrap();
        buffer[2] |= 0x80;
        upstream.send_to(&[&buffer[..length], b"answer"].concat(), from).unwrap();
    });
    let server = format!("{}:53", a.gateway);
    namespace.run(|| {
        for name in ["db", "db.coracle", "DB"] {
            assert!(ask(&server, name).unwrap().ends_with(&b.address.octets()), "{name}");
        }
        assert!(ask(&server, "debian.org").unwrap().ends_with(b"answer"), "passed on to the host's name server");
        assert_eq!(ask(&server, "nobody.coracle").unwrap()[3] & 0x0f, 3);
    });
    host.run(|| network.release(&id(2)).unwrap());
    namespace.run(|| assert_eq!(ask(&server, "db").unwrap()[3] & 0x0f, 3, "gone at once"));
    outside.run(|| assert_eq!(ask(&server, "web"), None, "not for other hosts"));
}
