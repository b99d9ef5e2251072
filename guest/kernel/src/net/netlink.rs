//! AF_NETLINK route sockets (rtnetlink(7)), as far as getifaddrs(3) and its like go: links, addresses and routes can be
//! listed, nothing can be changed.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::Errno;
use linux_abi::net::af;

use crate::mem::{Sink, Source};
use crate::net::endpoint::Endpoint;
use crate::net::interfaces::{self, Interface};
use crate::sync::{Mutex, mutex};
use crate::vfs::Events;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_MULTI: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
/// The largest request that is read.
const REQUEST: usize = 4096;
/// A dump is given out in messages of about this size, as Linux does.
const CHUNK: usize = 4096;

static NEXT_PORT: AtomicU32 = AtomicU32::new(0x8000_0001);

/// A route socket.
pub(crate) struct Netlink {
    endpoint: Arc<Endpoint>,
    port: AtomicU32,
    replies: Mutex<VecDeque<Vec<u8>>>,
}

impl Netlink {
    /// A socket without a port.
    pub(crate) fn new() -> Self {
        Self { endpoint: Endpoint::new(), port: AtomicU32::new(0), replies: mutex(VecDeque::new()) }
    }

    /// What its waiters wait on.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// bind(2): port 0 means that the kernel chooses.
    pub(crate) fn bind(&self, port: u32) -> Result<(), Errno> {
        let chosen = if port == 0 { self.choose() } else { port };
        match self.port.compare_exchange(0, chosen, Ordering::AcqRel, Ordering::Acquire) {
            Err(old) if old != chosen && port != 0 => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    fn choose(&self) -> u32 {
        // The process id is the first choice of Linux; later sockets get other numbers.
        match crate::task::try_current() {
            Some(current) if NEXT_PORT.fetch_add(1, Ordering::Relaxed) == 0x8000_0001 => current.process.pid,
            _ => NEXT_PORT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u32 {
        self.port.load(Ordering::Acquire)
    }

    /// Takes a request; its answer is ready at once.
    pub(crate) fn send(&self, from: &mut Source<'_>) -> Result<usize, Errno> {
        let len = from.remaining();
        if len > REQUEST {
            return Err(Errno::EMSGSIZE);
        }
        self.bind(0)?;
        let mut request = vec![0u8; len];
        from.take(&mut request)?;
        let replies = answer(&request, self.port(), &interfaces::all());
        self.replies.lock().extend(replies);
        self.endpoint.queue.wake_all();
        Ok(len)
    }

    /// Reads the next answer; gives the bytes given out and its length.
    pub(crate) fn receive(&self, to: &mut Sink<'_>, peek: bool) -> Result<(usize, usize), Errno> {
        let mut replies = self.replies.lock();
        let reply = if peek { replies.front().cloned() } else { replies.pop_front() };
        drop(replies);
        let reply = reply.ok_or(Errno::EAGAIN)?;
        Ok((to.put(&reply)?, reply.len()))
    }

    /// What it is ready for.
    pub(crate) fn events(&self) -> Events {
        let mut events = Events::OUT;
        events.set(Events::IN, !self.replies.lock().is_empty());
        events
    }
}

/// One message being built.
struct Builder {
    bytes: Vec<u8>,
    sequence: u32,
    port: u32,
}

impl Builder {
    fn message(&mut self, kind: u16, flags: u16, body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(flags.to_le_bytes());
        self.bytes.extend(self.sequence.to_le_bytes());
        self.bytes.extend(self.port.to_le_bytes());
        body(&mut self.bytes);
        let len = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
        pad(&mut self.bytes);
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend((value.len() as u16 + 4).to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(value);
    pad(bytes);
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The answers to a request (a list of messages, of which the first is taken): pure, for whatever the application writes.
pub(crate) fn answer(request: &[u8], port: u32, interfaces: &[Interface]) -> Vec<Vec<u8>> {
    let (Some(kind), Some(sequence)) = (word(request, 4), word(request, 8)) else { return Vec::new() };
    let kind = kind as u16;
    let family = request.get(16).copied().unwrap_or(0);
    let mut builder = Builder { bytes: Vec::new(), sequence, port };
    let mut out = Vec::new();
    match kind {
        RTM_GETLINK => interfaces.iter().for_each(|i| link(&mut builder, i)),
        RTM_GETADDR => interfaces.iter().for_each(|i| addresses(&mut builder, i, family)),
        RTM_GETROUTE => interfaces.iter().for_each(|i| routes(&mut builder, i, family)),
        _ => {
            error(&mut builder, request, Errno::EOPNOTSUPP);
            return vec![builder.bytes];
        }
    }
    if builder.bytes.len() > CHUNK {
        out.push(core::mem::take(&mut builder.bytes));
    }
    builder.message(NLMSG_DONE, NLM_F_MULTI, |body| body.extend([0; 4]));
    out.push(builder.bytes);
    out
}

fn error(builder: &mut Builder, request: &[u8], error: Errno) {
    builder.message(NLMSG_ERROR, 0, |body| {
        body.extend((-error.number()).to_le_bytes());
        body.extend(request.iter().copied().chain(core::iter::repeat(0)).take(16));
    });
}

fn link(builder: &mut Builder, interface: &Interface) {
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_BROADCAST: u16 = 2;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_MTU: u16 = 4;
    const IFLA_TXQLEN: u16 = 13;
    const IFLA_OPERSTATE: u16 = 16;
    builder.message(RTM_NEWLINK, NLM_F_MULTI, |body| {
        body.extend([0, 0]);
        body.extend(interface.hardware.to_le_bytes());
        body.extend(interface.index.to_le_bytes());
        body.extend(interface.flags.to_le_bytes());
        body.extend([0; 4]);
        attribute(body, IFLA_IFNAME, &[interface.name.as_bytes(), b"\0"].concat());
        attribute(body, IFLA_TXQLEN, &1000u32.to_le_bytes());
        attribute(body, IFLA_OPERSTATE, &[6]);
        attribute(body, IFLA_MTU, &interface.mtu.to_le_bytes());
        attribute(body, IFLA_ADDRESS, &interface.mac);
        let broadcast = if interface.index == 1 { [0; 6] } else { [0xff; 6] };
        attribute(body, IFLA_BROADCAST, &broadcast);
    });
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn family_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { af::INET as u8 } else { af::INET6 as u8 }
}

fn addresses(builder: &mut Builder, interface: &Interface, family: u8) {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const IFA_LABEL: u16 = 3;
    const IFA_BROADCAST: u16 = 4;
    const PERMANENT: u8 = 0x80;
    const SCOPE_HOST: u8 = 254;
    for (address, prefix) in interface.addresses.iter().filter(|(a, _)| family == 0 || family_of(*a) == family) {
        builder.message(RTM_NEWADDR, NLM_F_MULTI, |body| {
            let scope = if address.is_loopback() { SCOPE_HOST } else { 0 };
            body.extend([family_of(*address), *prefix, PERMANENT, scope]);
            body.extend(interface.index.to_le_bytes());
            attribute(body, IFA_ADDRESS, &octets(*address));
            if address.is_ipv4() {
                attribute(body, IFA_LOCAL, &octets(*address));
                if let Some(broadcast) = interface.broadcast() {
                    attribute(body, IFA_BROADCAST, &broadcast.octets());
                }
                attribute(body, IFA_LABEL, &[interface.name.as_bytes(), b"\0"].concat());
            }
        });
    }
}

fn routes(builder: &mut Builder, interface: &Interface, family: u8) {
    const RTA_DST: u16 = 1;
    const RTA_OIF: u16 = 4;
    const RTA_GATEWAY: u16 = 5;
    const RTA_PREFSRC: u16 = 7;
    const MAIN: u8 = 254;
    const UNICAST: u8 = 1;
    const SCOPE_LINK: u8 = 253;
    let Some((address, prefix)) = interface.v4().filter(|_| interface.index != 1) else { return };
    if family != 0 && family != af::INET as u8 {
        return;
    }
    let mut route = |len: u8, protocol: u8, scope: u8, attributes: &[(u16, [u8; 4])]| {
        builder.message(RTM_NEWROUTE, NLM_F_MULTI, |body| {
            body.extend([af::INET as u8, len, 0, 0, MAIN, protocol, scope, UNICAST, 0, 0, 0, 0]);
            attributes.iter().for_each(|(kind, value)| attribute(body, *kind, value));
            attribute(body, RTA_OIF, &interface.index.to_le_bytes());
        });
    };
    if let Some(gateway) = interface.gateway {
        route(0, 3, 0, &[(RTA_GATEWAY, gateway.octets())]);
    }
    let subnet = (u32::from(address) & interfaces::mask(prefix)).to_be_bytes();
    route(prefix, 2, SCOPE_LINK, &[(RTA_DST, subnet), (RTA_PREFSRC, address.octets())]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: u16) -> Vec<u8> {
        let mut request = vec![20, 0, 0, 0];
        request.extend(kind.to_le_bytes());
        request.extend([1, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        request
    }

    fn kinds(bytes: &[u8]) -> Vec<u16> {
        let mut kinds = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let len = word(bytes, at).unwrap() as usize;
            assert_eq!(word(bytes, at + 8), Some(7), "sequence number");
            kinds.push(word(bytes, at + 4).unwrap() as u16);
            at += len.next_multiple_of(4);
        }
        kinds
    }

    fn one() -> [Interface; 1] {
        [Interface {
            index: 2,
            name: "eth0",
            hardware: 1,
            mac: [2; 6],
            mtu: 1500,
            flags: 0x2,
            addresses: vec![("10.0.0.2".parse().unwrap(), 24)],
            gateway: Some([10, 0, 0, 1].into()),
        }]
    }

    #[test]
    fn dumps_end_with_done() {
        assert_eq!(kinds(&answer(&request(RTM_GETLINK), 5, &one()).concat()), [RTM_NEWLINK, NLMSG_DONE]);
        assert_eq!(kinds(&answer(&request(RTM_GETADDR), 5, &one()).concat()), [RTM_NEWADDR, NLMSG_DONE]);
        assert_eq!(
            kinds(&answer(&request(RTM_GETROUTE), 5, &one()).concat()),
            [RTM_NEWROUTE, RTM_NEWROUTE, NLMSG_DONE]
        );
    }

    #[test]
    fn changes_are_refused_and_rubbish_is_ignored() {
        let reply = answer(&request(16), 5, &one()).concat();
        assert_eq!(kinds(&reply), [NLMSG_ERROR]);
        assert_eq!(word(&reply, 16), Some(-95i32 as u32));
        assert!(answer(&[1, 2, 3], 5, &one()).is_empty());
    }
}
