//! Containers on the bridge: addresses, neighbours, published ports, translation on the way out. Needs root.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use common::{Host, Namespace, id, sh};
use network::{Config, Error, Lease, Network};
use plan::PortMapping;

struct Instance {
    namespace: Namespace,
    lease: Lease,
}

fn start(host: &Host, network: &Network, number: u8, name: &str) -> Instance {
    let namespace = Namespace::new();
    let lease = host.run(|| {
        let lease = network.lease(&id(number), name).unwrap();
        network.connect_veth(&lease, namespace.fd()).unwrap();
        lease
    });
    Instance { namespace, lease }
}

fn mappings(list: &[&str]) -> Vec<PortMapping> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

/// Answers each connection with the client's address.
fn serve_tcp(instance: &Instance, port: u16) {
    let listener = instance.namespace.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, from)) = listener.accept() {
            let _ = write!(stream, "{}", from.ip());
        }
    });
}

/// Answers each datagram with the client's address.
fn serve_udp(instance: &Instance, port: u16) {
    let socket = instance.namespace.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    std::thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut [0; 16]) {
            let _ = socket.send_to(from.ip().to_string().as_bytes(), from);
        }
    });
}

/// Connects and returns what the server says; `None` when it cannot be reached.
fn ask_tcp(to: &str) -> Option<IpAddr> {
    let to: SocketAddr = to.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_millis(700)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.parse().ok()
}

fn ask_udp(to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    socket.send_to(b"?", to).ok()?;
    let mut buffer = [0; 64];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    assert_eq!(from.to_string(), to, "the answer must come from where the question went");
    std::str::from_utf8(&buffer[..length]).unwrap().parse().ok()
}

#[test]
fn neighbours_reach_each_other_and_release_leaves_nothing() {
    let host = Host::new();
    let network = host.network();
    let a = start(&host, &network, 1, "a");
    let before = host.traces();
    let b = start(&host, &network, 2, "b");
    host.run(|| network.publish(&b.lease, &mappings(&["8080:80", "127.0.0.1:8081:81/udp"])).unwrap());
    assert!(host.traces().contains("8081"), "nft shows what is published:\n{}", host.traces());
    a.namespace.sh(&format!("ping -c1 -W2 {}", b.lease.address));
    a.namespace.sh(&format!("ping -c1 -W2 {}", a.lease.gateway));
    a.namespace.sh("ping -c1 -W2 127.0.0.1");
    assert!(b.namespace.sh("ip -o link show eth0").contains(&b.lease.mac.to_string()));
    assert!(b.namespace.sh("ip -o addr show eth0").contains(&format!("{}/{}", b.lease.address, b.lease.prefix)));
    host.run(|| {
        network.release(&b.lease.id).unwrap();
        network.release(&b.lease.id).unwrap();
    });
    assert_eq!(host.traces(), before);
    host.run(|| {
        assert!(!network.remove_if_unused().unwrap(), "one instance is left");
        network.release(&a.lease.id).unwrap();
        assert!(network.remove_if_unused().unwrap());
    });
    assert_eq!(host.sh("nft list ruleset; ip -o link | grep -v ': lo'; true"), "");
}

#[test]
fn after_its_exit_an_instances_interface_goes_by_itself() {
    let host = Host::new();
    let network = host.network();
    let before = host.run(|| {
        network.lease(&id(9), "other").unwrap();
        host.traces()
    });
    let a = start(&host, &network, 1, "a");
    host.run(|| network.publish(&a.lease, &mappings(&["8080:80"])).unwrap());
    drop(a.namespace);
    host.run(|| {
        network.release_after_exit(&id(1)).unwrap();
        network.release_after_exit(&id(1)).unwrap();
        assert_eq!(network.check(&[id(9)].into()).unwrap(), [], "also while the kernel is at it");
    });
    assert_eq!(host.traces(), before);
}

#[test]
fn published_ports_are_reached_from_the_host_and_from_other_hosts() {
    let host = Host::new();
    let outside = host.neighbour();
    let network = host.network();
    let a = start(&host, &network, 1, "a");
    let b = start(&host, &network, 2, "b");
    serve_tcp(&a, 80);
    serve_tcp(&a, 81);
    serve_udp(&a, 53);
    host.run(|| network.publish(&a.lease, &mappings(&["8080:80", "5353:53/udp", "127.0.0.1:8081:81"])).unwrap());
    let gateway = Some(IpAddr::V4(a.lease.gateway));
    host.run(|| {
        assert_eq!(ask_tcp("127.0.0.1:8080"), gateway, "loopback is translated to the bridge's address");
        assert!(ask_tcp("192.0.2.1:8080").is_some());
        assert_eq!(ask_tcp("127.0.0.1:8081"), gateway);
        assert_eq!(ask_tcp("192.0.2.1:8081"), None, "published at loopback only");
        assert_eq!(ask_udp("127.0.0.1:5353"), gateway);
        assert!(ask_udp("192.0.2.1:5353").is_some());
        assert_eq!(ask_tcp(&format!("{}:80", a.lease.address)), gateway, "the host reaches the instance itself");
    });
    let other = Some("192.0.2.2".parse().unwrap());
    outside.run(|| {
        assert_eq!(ask_tcp("192.0.2.1:8080"), other, "the instance sees who it is");
        assert_eq!(ask_udp("192.0.2.1:5353"), other);
        assert_eq!(ask_tcp("192.0.2.1:8081"), None);
        assert_eq!(ask_tcp(&format!("{}:80", a.lease.address)), None, "what is not published is not reachable");
    });
    let host_port = format!("{}:8080", a.lease.gateway);
    b.namespace.run(|| {
        assert!(ask_tcp("192.0.2.1:8080").is_some(), "from another instance through the host");
        assert!(ask_tcp(&host_port).is_some());
        assert_eq!(ask_tcp(&format!("{}:80", a.lease.address)), Some(b.lease.address.into()));
    });
    a.namespace.run(|| assert!(ask_tcp(&host_port).is_some(), "from the instance itself through the host"));
    host.run(|| network.release(&a.lease.id).unwrap());
    host.run(|| assert_eq!(ask_tcp("127.0.0.1:8080"), None));
}

#[test]
fn instances_reach_other_hosts_under_the_hosts_address() {
    let host = Host::new();
    let outside = host.neighbour();
    outside.sh("ip route del default");
    let a = start(&host, &host.network(), 1, "a");
    let listener = outside.run(|| TcpListener::bind("0.0.0.0:7000").unwrap());
    let accepted = std::thread::spawn(move || listener.accept().unwrap().1.ip());
    a.namespace
        .run(|| drop(TcpStream::connect_timeout(&"192.0.2.2:7000".parse().unwrap(), Duration::from_secs(2)).unwrap()));
    assert_eq!(accepted.join().unwrap(), "192.0.2.1".parse::<IpAddr>().unwrap());
}

#[test]
fn instances_cannot_reach_the_hosts_loopback() {
    let host = Host::new();
    let a = start(&host, &host.network(), 1, "a");
    let secret = host.run(|| UdpSocket::bind("127.0.0.1:9999").unwrap());
    secret.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    a.namespace.sh("ip addr flush dev lo; ip link set lo down; echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet");
    a.namespace.sh(&format!("ip route add 127.0.0.0/8 via {} dev eth0 src {}", a.lease.gateway, a.lease.address));
    let attack =
        || a.namespace.run(|| UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"attack", "127.0.0.1:9999").unwrap());
    attack();
    assert!(secret.recv(&mut [0; 16]).is_err(), "the guard chain must drop this");
    host.sh("nft flush chain coracle0 guard");
    attack();
    assert!(secret.recv(&mut [0; 16]).is_ok(), "without the guard chain the attack works, or this test shows nothing");
}

#[test]
fn an_instance_cannot_pose_as_another_one() {
    let host = Host::new();
    let network = host.network();
    let a = start(&host, &network, 1, "a");
    let b = start(&host, &network, 2, "b");
    let ping = format!("ping -c1 -W1 {}", b.lease.address);
    a.namespace.sh(&ping);
    a.namespace.sh("ip link set eth0 address 02:c0:00:00:00:01");
    a.namespace.sh(&format!("! {ping}"));
    a.namespace.sh(&format!("ip link set eth0 address {}", a.lease.mac));
    a.namespace.sh(&ping);
}

#[test]
fn a_deleted_bridge_is_made_again_with_its_ports() {
    let host = Host::new();
    let network = host.network();
    let a = start(&host, &network, 1, "a");
    serve_tcp(&a, 80);
    host.run(|| network.publish(&a.lease, &mappings(&["8080:80"])).unwrap());
    host.sh("ip link del coracle0");
    let b = start(&host, &network, 2, "b");
    b.namespace.run(|| assert!(ask_tcp(&format!("{}:80", a.lease.address)).is_some()));
    host.run(|| assert!(ask_tcp("127.0.0.1:8080").is_some()));
}

#[test]
fn ports_in_use_are_refused_and_nothing_changes() {
    let host = Host::new();
    let _neighbour = host.neighbour();
    let network = host.network();
    let a = start(&host, &network, 1, "first");
    let b = start(&host, &network, 2, "second");
    host.run(|| network.publish(&a.lease, &mappings(&["127.0.0.1:8080:80"])).unwrap());
    let before = host.traces();
    let _listener = host.run(|| TcpListener::bind("127.0.0.1:9090").unwrap());
    host.run(|| {
        let publish = |list: &[&str]| network.publish(&b.lease, &mappings(list)).unwrap_err();
        match publish(&["7000:70", "8080:80"]) {
            Error::PortPublished { port: 8080, holder, .. } => assert_eq!(holder, "first"),
            other => panic!("{other}"),
        }
        assert!(matches!(publish(&["7000:70", "9090:80"]), Error::PortInUse { port: 9090, .. }));
        assert!(matches!(publish(&["198.51.100.1:7000:70"]), Error::NotOurAddress { .. }));
        assert!(matches!(publish(&["[::1]:7000:70"]), Error::Ipv6NotSupported { .. }));
    });
    assert_eq!(host.traces(), before);
    host.run(|| {
        network.publish(&b.lease, &mappings(&["192.0.2.1:8080:80", "8080:80/udp"])).unwrap();
        network.publish(&b.lease, &mappings(&["192.0.2.1:8080:80", "8080:80/udp"])).unwrap();
    });
    assert_eq!(network.leases().unwrap()[1].published.len(), 2);
    host.run(|| network.publish(&b.lease, &mappings(&["7777:77"])).unwrap());
    assert_eq!(network.leases().unwrap()[1].published.len(), 3, "one more");
}

#[test]
fn a_udp_client_follows_the_port_to_the_next_instance() {
    let host = Host::new();
    let network = host.network();
    let ask = |client: &UdpSocket| {
        client.send_to(b"?", "127.0.0.1:5353").unwrap();
        let mut buffer = [0; 64];
        client.recv(&mut buffer).is_ok()
    };
    let client = host.run(|| UdpSocket::bind("127.0.0.1:4000").unwrap());
    client.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(!ask(&client), "nobody is there yet; the kernel remembers the flow");
    for number in 1..=2 {
        let instance = start(&host, &network, number, "udp");
        serve_udp(&instance, 53);
        host.run(|| network.publish(&instance.lease, &mappings(&["5353:53/udp"])).unwrap());
        assert!(ask(&client), "instance {number}");
        host.run(|| network.release(&instance.lease.id).unwrap());
    }
}

#[test]
fn leftovers_of_a_lost_run_directory_are_replaced() {
    let host = Host::new();
    let network = host.network();
    host.run(|| {
        let lease = network.lease(&id(1), "a").unwrap();
        network.publish(&lease, &mappings(&["8080:80", "8081:81"])).unwrap();
        for part in ["leases", "addresses", "ports"] {
            sh(&format!("rm -f {}/network/{part}/*", host.run_dir.path().display()));
        }
        let lease = network.lease(&id(2), "b").unwrap();
        network.publish(&lease, &mappings(&["8080:80"])).unwrap();
        let shown = sh("nft list map coracle0 at_any");
        assert!(shown.contains(&lease.address.to_string()) && !shown.contains("8081"), "{shown}");
    });
}

#[test]
fn a_flushed_packet_filter_is_put_back() {
    let host = Host::new();
    let network = host.network();
    let a = start(&host, &network, 1, "a");
    serve_tcp(&a, 80);
    host.run(|| network.publish(&a.lease, &mappings(&["8080:80"])).unwrap());
    host.sh("nft flush ruleset");
    host.run(|| {
        assert_eq!(ask_tcp("127.0.0.1:8080"), None);
        network.publish(&network.lease(&id(2), "b").unwrap(), &mappings(&["8082:80"])).unwrap();
        assert!(ask_tcp("127.0.0.1:8080").is_some());
        sh("nft flush ruleset");
        network.publish(&network.lease(&id(3), "c").unwrap(), &mappings(&["8083:80"])).unwrap();
        sh("nft flush ruleset");
        network.release(&id(1)).unwrap();
    });
}

#[test]
fn a_small_pool_runs_empty_and_fills_again() {
    let host = Host::new();
    let config = Config { subnet: Some("10.9.8.0/30".parse().unwrap()), ..Config::default() };
    let network = host.network_with(config);
    host.run(|| {
        assert_eq!(network.lease(&id(1), "a").unwrap().address, Ipv4Addr::new(10, 9, 8, 2));
        assert_eq!(network.lease(&id(1), "a").unwrap().address, Ipv4Addr::new(10, 9, 8, 2), "the same one again");
        assert!(matches!(network.lease(&id(2), "b"), Err(Error::PoolEmpty { size: 1, .. })));
        network.release(&id(1)).unwrap();
        network.lease(&id(2), "b").unwrap();
    });
}

#[test]
fn routes_of_the_host_are_avoided() {
    let host = Host::new();
    let _neighbour = host.neighbour();
    host.sh("ip route add 10.88.4.0/24 via 192.0.2.2; ip link add d0 type bridge; ip addr add 10.89.0.1/24 dev d0");
    host.run(|| assert_eq!(host.network().lease(&id(1), "a").unwrap().address, Ipv4Addr::new(10, 90, 0, 2)));
    let taken = Config { bridge: "other0".to_owned(), subnet: Some("192.0.2.0/25".parse().unwrap()), mtu: None };
    host.run(|| host.network().release(&id(1)).unwrap());
    host.run(|| assert!(matches!(host.network_with(taken).lease(&id(2), "b"), Err(Error::SubnetInUse { .. }))));
}

#[test]
fn packets_are_as_large_as_the_default_route_takes() {
    let host = Host::new();
    host.sh("ip link add w0 type bridge; ip link set w0 up mtu 1400; ip addr add 198.51.100.2/24 dev w0; ip route add default via 198.51.100.1");
    let network = host.network();
    let a = start(&host, &network, 1, "a");
    assert_eq!(a.lease.mtu, 1400);
    assert!(a.namespace.sh("ip -o link show eth0").contains("mtu 1400"));
    let other = Config { subnet: Some("10.200.0.0/16".parse().unwrap()), ..Config::default() };
    host.run(|| assert!(matches!(host.network_with(other).lease(&id(2), "b"), Err(Error::SubnetChange { .. }))));
}

#[test]
fn a_bridge_belongs_to_one_run_directory_at_a_time() {
    let host = Host::new();
    let other = tempfile::tempdir().unwrap();
    let second = Network::open(other.path(), Config::default()).unwrap();
    host.run(|| {
        host.network().lease(&id(1), "a").unwrap();
        assert!(matches!(second.lease(&id(2), "b"), Err(Error::BridgeInUse { .. })));
        host.network().release(&id(1)).unwrap();
        // A program that another test is just starting may hold a copy of the released lock until it is executed.
        let taken_over = (0..100).any(|_| {
            let lease = second.lease(&id(2), "b");
            assert!(matches!(lease, Ok(_) | Err(Error::BridgeInUse { .. })), "{lease:?}");
            lease.is_ok() || {
                std::thread::sleep(std::time::Duration::from_millis(10));
                false
            }
        });
        assert!(taken_over, "a bridge without leases can be taken over");
        sh("ip link set coracle0 down");
        second.lease(&id(3), "c").unwrap();
        assert!(sh("ip -o link show coracle0").contains(",UP"));
        sh("ip link add foreign0 type veth peer name foreign1");
        let foreign = Config { bridge: "foreign0".to_owned(), ..Config::default() };
        assert!(matches!(host.network_with(foreign).lease(&id(4), "d"), Err(Error::ForeignBridge { .. })));
    });
}
