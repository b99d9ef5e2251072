//! Many processes at once, and processes that are killed. Needs root.

mod common;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use common::{Host, Namespace, id, sh};
use network::{Error, Orphan, TapOptions};

#[test]
fn twenty_starts_at_once_do_not_collide() {
    let host = Host::new();
    let before = host.traces();
    let addresses: HashSet<Ipv4Addr> = std::thread::scope(|scope| {
        let start = |number: u8| {
            let host = &host;
            scope.spawn(move || {
                let namespace = Namespace::new();
                host.run(|| {
                    let network = host.network();
                    let lease = network.lease(&id(number), &format!("n{number}")).unwrap();
                    network.connect_veth(&lease, namespace.fd()).unwrap();
                    let port = format!("{}:80", 8000 + u16::from(number));
                    network.publish(&lease, &[port.parse().unwrap()]).unwrap();
                    namespace.sh(&format!("ping -c1 -W2 {}", lease.gateway));
                    lease.address
                })
            })
        };
        let threads: Vec<_> = (1..=20).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(addresses.len(), 20);
    assert_eq!(host.network().leases().unwrap().len(), 20);
    std::thread::scope(|scope| {
        for number in 1..=20 {
            let host = &host;
            scope.spawn(move || host.run(|| host.network().release(&id(number)).unwrap()));
        }
    });
    let after = host.sh("nft list ruleset");
    assert!(!after.contains("elements"), "{after}");
    assert_eq!(before.lines().next(), host.traces().lines().next(), "only loopback is left");
    assert!(host.network().leases().unwrap().is_empty());
}

#[test]
fn a_tap_is_on_the_bridge_and_goes_with_its_descriptor() {
    let host = Host::new();
    let network = host.network();
    host.run(|| {
        let lease = network.lease(&id(1), "vm").unwrap();
        let options = TapOptions { vnet_hdr: true, offload: true, nonblocking: true };
        let tap = network.open_tap(&lease, options).unwrap();
        let shown = sh(&format!("ip -o -d link show {}", lease.interface));
        assert!(
            shown.contains("master coracle0") && shown.contains("tun type tap") && shown.contains("vnet_hdr on"),
            "{shown}"
        );
        assert!(network.open_tap(&lease, options).is_err(), "the device is taken");
        who_has_the_gateway(&tap, &lease);
        drop(tap);
        assert_eq!(sh("ip -o link | grep crcl || true"), "");
        network.release(&id(1)).unwrap();
    });
}

/// Sends an ARP request (RFC 826) for the gateway through the TAP and waits for the answer.
fn who_has_the_gateway(tap: &std::os::fd::OwnedFd, lease: &network::Lease) {
    let mut frame = vec![0; 12];
    frame.extend([0xff; 6]);
    frame.extend(lease.mac.0);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(lease.mac.0);
    frame.extend(lease.address.octets());
    frame.extend([0; 6]);
    frame.extend(lease.gateway.octets());
    assert_eq!(rustix::io::write(tap, &frame).unwrap(), frame.len());
    for _ in 0..200 {
        let mut buffer = [0; 2048];
        match rustix::io::read(tap, &mut buffer) {
            Ok(_) if buffer[24..26] == [8, 6] && buffer[32..34] == [0, 2] => {
                assert_eq!(buffer[40..44], lease.gateway.octets());
                return;
            }
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
    panic!("no ARP reply");
}

#[test]
fn what_a_killed_process_leaves_is_found_and_removed() {
    let host = Host::new();
    let network = host.network();
    let clean = host.run(|| {
        network.lease(&id(9), "alive").unwrap();
        host.traces()
    });
    let live = HashSet::from([id(9)]);
    let namespace = Namespace::new();
    host.run(|| {
        let lease = network.lease(&id(1), "dead").unwrap();
        network.connect_veth(&lease, namespace.fd()).unwrap();
        network.publish(&lease, &["8080:80".parse().unwrap()]).unwrap();
        // A process that died between its steps: an interface, a port, a link and a half-written file without a lease.
        let lost = network.lease(&id(2), "lost").unwrap();
        network.connect_veth(&lost, Namespace::new().fd()).unwrap();
        network.publish(&lost, &["8081:80/udp".parse().unwrap()]).unwrap();
    });
    let leases = common::lease_files(&host);
    std::fs::rename(leases.join(format!("{}.json", id(2))), leases.join(format!("{}.new", id(2)))).unwrap();
    std::fs::write(leases.join(format!("{}.json", id(3))), "{\"id\":").unwrap();
    host.run(|| {
        let found = network.check(&live).unwrap();
        assert!(found.contains(&Orphan::Lease(id(1))) && found.contains(&Orphan::Lease(id(3))), "{found:?}");
        assert!(found.contains(&Orphan::Interface(id(1).interface_name())), "{found:?}");
        assert!(found.iter().any(|o| matches!(o, Orphan::PublishedPort(text) if text.contains("8081"))), "{found:?}");
        assert!(found.iter().any(|o| matches!(o, Orphan::File(path) if path.ends_with("ports/udp-8081-0.0.0.0"))));
        assert_eq!(network.fix(&live).unwrap(), found);
        assert_eq!(network.check(&live).unwrap(), []);
    });
    assert_eq!(host.traces(), clean);
}

#[test]
fn a_damaged_lease_can_be_released() {
    let host = Host::new();
    let network = host.network();
    host.run(|| {
        network.lease(&id(9), "other").unwrap();
        let clean = host.traces();
        let lease = network.lease(&id(1), "a").unwrap();
        network.connect_veth(&lease, Namespace::new().fd()).unwrap();
        network.publish(&lease, &["8080:80".parse().unwrap()]).unwrap();
        std::fs::write(common::lease_files(&host).join(format!("{}.json", id(1))), "{").unwrap();
        assert!(matches!(network.lease(&id(1), "a"), Err(Error::DamagedLease { .. })));
        assert_eq!(network.leases().unwrap().len(), 1);
        network.release(&id(1)).unwrap();
        assert_eq!(network.fix(&[id(9)].into()).unwrap().len(), 2, "the links to address and port");
        assert_eq!(host.traces(), clean);
    });
}

#[test]
fn a_restart_replaces_the_interface() {
    let host = Host::new();
    let network = host.network();
    let (first, second) = (Namespace::new(), Namespace::new());
    host.run(|| {
        let lease = network.lease(&id(1), "a").unwrap();
        network.connect_veth(&lease, first.fd()).unwrap();
        network.connect_veth(&lease, second.fd()).unwrap();
        second.sh(&format!("ping -c1 -W2 {}", lease.gateway));
    });
    assert!(!first.sh("ip -o link").contains("eth0"));
}

#[test]
fn a_full_disk_is_reported_and_nothing_changes() {
    let host = Host::new();
    let directory = host.run_dir.path().display();
    sh(&format!("mount -t tmpfs -o nr_inodes=11 none {directory}"));
    let outcome = std::panic::catch_unwind(|| {
        host.run(|| {
            let network = host.network();
            let mut leases = Vec::new();
            let error = loop {
                match network.lease(&id(leases.len() as u8), "n") {
                    Ok(lease) => leases.push(lease),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, Error::File { .. }), "{error}");
            assert!(matches!(network.publish(&leases[0], &["8080:80".parse().unwrap()]), Err(Error::File { .. })));
            assert!(!sh("nft list ruleset").contains("8080"));
            assert!(network.leases().unwrap().iter().all(|lease| lease.published.is_empty()));
            network.release(&leases[0].id).unwrap();
            network.lease(&id(100), "again").unwrap();
        });
    });
    sh(&format!("umount {directory}"));
    outcome.unwrap();
}

/// Kills processes that lease, connect and publish at arbitrary moments; what they leave must always be repairable.
#[test]
fn kill_at_any_moment_then_fix() {
    if std::env::var_os("NETWORK_TEST_CHILD").is_some() {
        return churn();
    }
    let host = Host::new();
    host.run(|| {
        for round in 0..25 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "kill_at_any_moment_then_fix", "--nocapture"])
                .env("NETWORK_TEST_CHILD", host.run_dir.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.is_ok_and(|line| line.contains("churning"))));
            std::thread::sleep(std::time::Duration::from_micros(700 * round));
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            assert_eq!(ended.signal(), Some(9), "it must not have ended by itself: {ended}");
            let network = host.network();
            network.fix(&HashSet::new()).unwrap();
            assert_eq!(network.check(&HashSet::new()).unwrap(), []);
            assert!(!sh("nft list ruleset").contains("elements"));
            assert_eq!(sh("ip -o link | grep crcl || true"), "");
            let lease = network.lease(&id(7), "after").unwrap();
            network.publish(&lease, &["8001:80".parse().unwrap()]).unwrap();
            network.release(&id(7)).unwrap();
        }
    });
}

fn churn() {
    let run_dir = std::env::var_os("NETWORK_TEST_CHILD").unwrap();
    let network = network::Network::open(run_dir.as_ref(), network::Config::default()).unwrap();
    println!("churning");
    for number in (1..=250).cycle() {
        let namespace = Namespace::new();
        let lease = network.lease(&id(number), "churn").unwrap();
        network.connect_veth(&lease, namespace.fd()).unwrap();
        network.publish(&lease, &["8001:80".parse().unwrap(), "127.0.0.1:8002:80/udp".parse().unwrap()]).unwrap();
        network.release(&id(number)).unwrap();
    }
}
