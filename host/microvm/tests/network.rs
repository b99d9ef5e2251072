//! A guest on a TAP device, in a network namespace of the test's own.

#![allow(unsafe_code)] // TUNSETIFF has no safe wrapper, and unshare(2) is marked unsafe for flags that are not used here.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;

use network::Attachment;
use plan::MacAddress;
use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{Updater, ioctl};
use rustix::thread::UnshareFlags;
use support::{case, fixture, pipes, supervise};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const GUEST: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

/// `struct ifreq` for `TUNSETIFF` (linux/if_tun.h).
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

fn open_tap(name: &[u8]) -> OwnedFd {
    const TUNSETIFF: u32 = 0x4004_54ca;
    const IFF_TAP_NO_PI_VNET_HDR: u16 = 0x2 | 0x1000 | 0x4000;
    let fd = rustix::fs::open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut request = InterfaceRequest { name: [0; 16], flags: IFF_TAP_NO_PI_VNET_HDR, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name);
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whose layout `InterfaceRequest` has.
    unsafe { ioctl(&fd, Updater::<TUNSETIFF, InterfaceRequest>::new(&mut request)).unwrap() };
    fd
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

#[test]
fn guest_and_host_reach_each_other() {
    let Some(fixture) = fixture() else { return };
    // Namespaces belong to threads, and QEMU must be started by a thread that lives until the end.
    let test = std::thread::spawn(move || {
        // SAFETY: a new network namespace for this thread changes nothing else.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET).unwrap() };
        let tap = open_tap(b"tap0");
        ip("addr add 10.99.0.1/24 dev tap0");
        ip("link set tap0 up");
        let listener = TcpListener::bind((HOST, 7000)).unwrap();
        let greeting = std::thread::spawn(move || {
            let mut text = String::new();
            listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        let network = Attachment {
            tap,
            address: GUEST,
            prefix: 24,
            gateway: HOST,
            mac: MacAddress([2, 0, 0, 0, 0, 9]),
            dns: vec![HOST.into()],
            mtu: 1400,
        };
        let script = "ip addr show eth0; ip route; cat /etc/hosts /etc/resolv.conf; \
                      echo hello from the guest | nc 10.99.0.1 7000; echo ready; nc -l -p 80 | head -c 1000000 | wc -c";
        let case = case(fixture, &["sh", "-c", script]);
        let (io, ends) = pipes();
        let vm = microvm::start(&case.plan, io, Some(network), &fixture.kernel, &fixture.agent).unwrap();
        let mut asked = false;
        let outcome = supervise(vm, ends, |_, said| {
            if !asked && said.ends_with(b"ready\n") {
                asked = true;
                std::thread::sleep(std::time::Duration::from_millis(300));
                let mut stream = TcpStream::connect((GUEST, 80)).unwrap();
                stream.write_all(&vec![b'x'; 1_000_000]).unwrap();
            }
        });
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        let text = outcome.text();
        for expected in [
            "mtu 1400",
            "link/ether 02:00:00:00:00:09",
            "inet 10.99.0.2/24",
            "default via 10.99.0.1 dev eth0",
            "10.99.0.2\tcoracle-test test\n",
            "nameserver 10.99.0.1\n",
            "ready\n1000000\n",
        ] {
            assert!(text.contains(expected), "no {expected:?} in {text}");
        }
        assert_eq!(greeting.join().unwrap(), "hello from the guest\n");
    });
    test.join().unwrap();
}
