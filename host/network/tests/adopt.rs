//! Taking over an interface that a CNI plugin would have configured. Needs root.

mod common;

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use common::{Host, Namespace};
use network::{AdoptError, Attachment, TapOptions, adopt};

const OPTIONS: TapOptions = TapOptions { vnet_hdr: false, offload: false, nonblocking: true };

/// A namespace with `eth0` at 10.88.0.5/24, whose other end is the host's 10.88.0.1.
fn pod(host: &Host) -> Namespace {
    let pod = Namespace::new();
    let path = format!("/proc/{}/fd/{}", std::process::id(), pod.fd().as_raw_fd());
    host.sh(&format!(
        "ip link add veth0 type veth peer name eth0 netns {path}; ip addr add 10.88.0.1/24 dev veth0; ip link set veth0 up"
    ));
    pod.sh("ip link set lo up; ip addr add 10.88.0.5/24 dev eth0; ip link set eth0 address 02:00:00:00:00:05 up");
    pod.sh("ip route add default via 10.88.0.1");
    pod
}

/// Answers ARP requests for the adopted address, as an instance would, until the host knows the answer.
fn answer_arp(adopted: Attachment, host: &Host) -> bool {
    let mut tap = std::fs::File::from(adopted.tap);
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut frame = [0u8; 2048];
    while Instant::now() < deadline {
        match tap.read(&mut frame) {
            // Ethernet type ARP, operation "request", for our address (RFC 826).
            Ok(n)
                if n >= 42 && frame[12..14] == [8, 6] && frame[20..22] == [0, 1] && frame[38..42] == [10, 88, 0, 5] =>
            {
                let mut reply = [frame[6..12].to_vec(), adopted.mac.0.to_vec()].concat();
                reply.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
                reply.extend([&adopted.mac.0[..], &[10, 88, 0, 5], &frame[22..32]].concat());
                tap.write_all(&reply).unwrap();
            }
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
        if host.sh("ip neigh show 10.88.0.5").contains("02:00:00:00:00:05") {
            return true;
        }
    }
    false
}

#[test]
fn an_instance_gets_the_interfaces_addresses_and_frames_and_so_does_the_next() {
    let host = Host::new();
    let pod = pod(&host);
    for _ in 0..2 {
        let adopted = pod.run(|| adopt(OPTIONS)).unwrap().expect("there is an interface");
        assert_eq!((adopted.address, adopted.prefix), (Ipv4Addr::new(10, 88, 0, 5), 24));
        assert_eq!(
            (adopted.gateway, adopted.mac.to_string().as_str()),
            (Ipv4Addr::new(10, 88, 0, 1), "02:00:00:00:00:05")
        );
        assert_eq!(pod.sh("ip -4 -o addr show dev eth0"), "", "the namespace itself must not answer any more");
        host.sh("ip neigh flush dev veth0; (ping -c 3 -W 1 10.88.0.5 >/dev/null 2>&1 &)");
        assert!(answer_arp(adopted, &host), "no frame came through: {}", pod.sh("ip -d link"));
    }
}

#[test]
fn loopback_alone_is_no_network_and_two_interfaces_are_too_many() {
    let host = Host::new();
    let pod = pod(&host);
    pod.sh("ip link add eth1 type veth peer name other1; ip addr add 10.89.0.5/24 dev eth1; ip link set eth1 up");
    assert!(matches!(pod.run(|| adopt(OPTIONS)), Err(AdoptError::Several(..))));
    let empty = Namespace::new();
    empty.sh("ip link set lo up");
    assert!(empty.run(|| adopt(OPTIONS)).unwrap().is_none());
}
