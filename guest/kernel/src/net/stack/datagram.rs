//! UDP: received datagrams wait in a queue of their socket; sent ones leave through a small smoltcp socket each, which
//! knows how to wait for link addresses.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr, SocketAddrV4};

use hashbrown::HashMap;
use linux_abi::Errno;
use platform::Deadline;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp::{self, PacketBuffer, PacketMetadata, UdpMetadata};
use smoltcp::wire::IpEndpoint;

use crate::net::endpoint::Endpoint;
use crate::net::stack::Stack;
use crate::net::stack::ports::{Sharing, Token};
use crate::net::stack::slab::Slab;

/// How many bytes of datagrams wait for a reader at most (`net.core.rmem_default`).
const INBOX: usize = 212_992;
/// What a datagram costs beside its data.
const OVERHEAD: usize = 256;
/// How many datagrams wait for a link address.
const OUTBOX: usize = 16;
/// How long to wait for a link address before asking again.
const RETRY: Deadline = 1_000_000_000;

/// A received datagram.
pub(crate) struct Datagram {
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// The address that it was sent to.
    pub(crate) to: IpAddr,
    /// The data.
    pub(crate) data: Vec<u8>,
}

/// A bound UDP socket.
pub(crate) struct Inbox {
    endpoint: Arc<Endpoint>,
    /// The address that it is bound to.
    pub(crate) local: SocketAddr,
    v6only: bool,
    token: Token,
    /// The peer, if it is connected: nobody else is heard.
    pub(crate) peer: Option<SocketAddr>,
    /// Datagrams to be read.
    pub(crate) queue: VecDeque<Datagram>,
    waiting: usize,
    outbox: Option<(SocketSet<'static>, SocketHandle)>,
    stalled: bool,
}

impl Inbox {
    fn hears(&self, from: SocketAddr, to: IpAddr) -> bool {
        let own = self.local.ip();
        let addressed = match (own, to) {
            (IpAddr::V6(ip), IpAddr::V4(_)) => ip.is_unspecified() && !self.v6only,
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
            _ => own.is_unspecified() || own == to || to.is_multicast() || is_broadcast(to),
        };
        addressed && self.peer.is_none_or(|peer| peer == from)
    }

    /// Takes the next datagram out of the queue.
    pub(crate) fn take(&mut self) -> Option<Datagram> {
        let datagram = self.queue.pop_front()?;
        self.waiting -= datagram.data.len() + OVERHEAD;
        Some(datagram)
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(ip) if ip.is_broadcast())
}

/// The bound UDP sockets.
#[derive(Default)]
pub(crate) struct Datagrams {
    slots: Slab<Inbox>,
    ports: HashMap<u16, Vec<u32>>,
    stalled: Vec<u32>,
    retry_at: Option<Deadline>,
}

impl Datagrams {
    /// When stalled datagrams are tried again.
    pub(super) fn retry_at(&self) -> Option<Deadline> {
        self.retry_at
    }

    /// The socket that hears such a datagram: one connected to the sender first, then one bound to the address.
    fn find(&self, from: SocketAddr, to: SocketAddr) -> Option<u32> {
        let slots = self.ports.get(&to.port())?;
        let rank = |slot: u32| {
            let inbox = self.slots.get(slot)?;
            let exact = usize::from(inbox.local.ip() == to.ip());
            inbox.hears(from, to.ip()).then_some(exact + 2 * usize::from(inbox.peer.is_some()))
        };
        slots.iter().filter_map(|slot| Some((rank(*slot)?, *slot))).max_by_key(|(rank, _)| *rank).map(|(_, slot)| slot)
    }
}

impl Stack {
    /// Puts a datagram into the queue of its socket, or drops it if that is full; `false` if there is no such socket.
    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> bool {
        let slot = self.datagrams.find(from, to);
        let Some(inbox) = slot.and_then(|slot| self.datagrams.slots.get_mut(slot)) else { return false };
        let cost = payload.len() + OVERHEAD;
        if inbox.waiting + cost <= INBOX {
            inbox.waiting += cost;
            inbox.queue.push_back(Datagram { from, to: to.ip(), data: payload.to_vec() });
            self.woken.push(inbox.endpoint.clone());
        }
        true
    }

    /// Delivers a datagram from outside; `false` if nobody wants it.
    pub(super) fn receive_datagram(&mut self, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> bool {
        self.deliver(SocketAddr::V4(from), SocketAddr::V4(to), payload)
    }

    /// A datagram of ours found nobody: a connected socket learns of it (udp(7), `ECONNREFUSED`).
    pub(super) fn refuse_datagram(&mut self, from: SocketAddrV4, to: SocketAddrV4) {
        let slot = self.datagrams.find(SocketAddr::V4(to), SocketAddr::V4(from));
        if let Some(inbox) = slot.and_then(|slot| self.datagrams.slots.get(slot))
            && inbox.peer == Some(SocketAddr::V4(to))
        {
            inbox.endpoint.set_error(Errno::ECONNREFUSED);
            self.woken.push(inbox.endpoint.clone());
        }
    }

    /// Binds a UDP socket.
    pub(crate) fn bind_udp(
        &mut self,
        endpoint: &Arc<Endpoint>,
        at: SocketAddr,
        sharing: Sharing,
    ) -> Result<u32, Errno> {
        if !at.ip().is_multicast() && !is_broadcast(at.ip()) {
            self.check_bindable(at.ip())?;
        }
        let (local, token) = self.udp_ports.bind(at, sharing)?;
        let inbox = Inbox {
            endpoint: endpoint.clone(),
            local,
            v6only: sharing.v6only,
            token,
            peer: None,
            queue: VecDeque::new(),
            waiting: 0,
            outbox: None,
            stalled: false,
        };
        let slot = self.datagrams.slots.insert(inbox);
        self.datagrams.ports.entry(local.port()).or_default().push(slot);
        endpoint.set_slot(Some(slot));
        Ok(slot)
    }

    /// A bound UDP socket.
    pub(crate) fn inbox(&mut self, slot: u32) -> Option<&mut Inbox> {
        self.datagrams.slots.get_mut(slot)
    }

    /// Closes a UDP socket.
    pub(crate) fn close_udp(&mut self, slot: u32) {
        let Some(inbox) = self.datagrams.slots.remove(slot) else { return };
        if let Some(slots) = self.datagrams.ports.get_mut(&inbox.local.port()) {
            slots.retain(|s| *s != slot);
            if slots.is_empty() {
                self.datagrams.ports.remove(&inbox.local.port());
            }
        }
        self.udp_ports.release(inbox.token);
    }

    /// The address from which a destination sees us. `ENETUNREACH` if there is no way to it.
    pub(crate) fn source_for(&self, to: IpAddr) -> Result<IpAddr, Errno> {
        if self.is_own(to) || to.is_loopback() {
            return Ok(to);
        }
        match to {
            IpAddr::V4(_) => self.address().map(IpAddr::V4).ok_or(Errno::ENETUNREACH),
            IpAddr::V6(_) => Err(Errno::ENETUNREACH),
        }
    }

    /// connect(2) of a UDP socket: only this peer is heard, and the own address becomes known.
    pub(crate) fn connect_udp(&mut self, slot: u32, to: Option<SocketAddr>) -> Result<(), Errno> {
        let to = to.map(|to| self.resolve_unspecified(to));
        let source = to.map(|to| self.source_for(to.ip())).transpose()?;
        let inbox = self.datagrams.slots.get_mut(slot).ok_or(Errno::EINVAL)?;
        inbox.peer = to;
        if let Some(source) = source
            && inbox.local.ip().is_unspecified()
        {
            inbox.local.set_ip(source);
        }
        Ok(())
    }

    /// Sends a datagram. `EMSGSIZE` beyond what fits one packet, as there is no fragmentation.
    pub(crate) fn send_udp(&mut self, slot: u32, to: SocketAddr, data: &[u8]) -> Result<(), Errno> {
        let to = self.resolve_unspecified(to);
        let source = self.source_for(to.ip())?;
        let inbox = self.datagrams.slots.get_mut(slot).ok_or(Errno::EINVAL)?;
        let from = if inbox.local.ip().is_unspecified() { source } else { inbox.local.ip() };
        let from = SocketAddr::new(from, inbox.local.port());
        if self.is_own(to.ip()) {
            if !self.deliver(from, to, data)
                && let Some(inbox) = self.datagrams.slots.get_mut(slot)
                && inbox.peer == Some(to)
            {
                inbox.endpoint.set_error(Errno::ECONNREFUSED);
            }
            return Ok(());
        }
        self.send_outside(slot, from.port(), to, data)
    }

    fn send_outside(&mut self, slot: u32, port: u16, to: SocketAddr, data: &[u8]) -> Result<(), Errno> {
        let now = self.now();
        let Some(external) = &mut self.external else { return Err(Errno::ENETUNREACH) };
        let SocketAddr::V4(remote) = to else { return Err(Errno::ENETUNREACH) };
        let largest = usize::from(external.network.mtu).saturating_sub(28);
        if data.len() > largest {
            return Err(Errno::EMSGSIZE);
        }
        let inbox = self.datagrams.slots.get_mut(slot).ok_or(Errno::EINVAL)?;
        let (sockets, handle) = inbox.outbox.get_or_insert_with(|| outbox(port, largest));
        let mut metadata: UdpMetadata = IpEndpoint::new((*remote.ip()).into(), remote.port()).into();
        metadata.local_address = Some(external.address().into());
        let socket = sockets.get_mut::<udp::Socket<'_>>(*handle);
        socket.send_slice(data, metadata).map_err(|_| Errno::EAGAIN)?;
        external.flush_datagrams(sockets, now);
        if !sockets.get_mut::<udp::Socket<'_>>(*handle).can_send() || queued(sockets, *handle) {
            self.stall_datagrams(slot, now);
        }
        Ok(())
    }

    fn stall_datagrams(&mut self, slot: u32, now: Deadline) {
        if let Some(inbox) = self.datagrams.slots.get_mut(slot)
            && !core::mem::replace(&mut inbox.stalled, true)
        {
            self.datagrams.stalled.push(slot);
            self.datagrams.retry_at = Some(now + RETRY);
        }
    }

    /// Tries again to send what waits for link addresses.
    pub(super) fn flush_stalled_datagrams(&mut self, now: Deadline) {
        self.datagrams.retry_at = None;
        for slot in core::mem::take(&mut self.datagrams.stalled) {
            let (Some(inbox), Some(external)) = (self.datagrams.slots.get_mut(slot), &mut self.external) else {
                continue;
            };
            inbox.stalled = false;
            let Some((sockets, handle)) = &mut inbox.outbox else { continue };
            external.flush_datagrams(sockets, now);
            if queued(sockets, *handle) {
                self.stall_datagrams(slot, now);
            }
        }
    }
}

fn queued(sockets: &SocketSet<'static>, handle: SocketHandle) -> bool {
    sockets.get::<udp::Socket<'_>>(handle).send_queue() > 0
}

/// A smoltcp socket that only sends.
fn outbox(port: u16, largest: usize) -> (SocketSet<'static>, SocketHandle) {
    let none = PacketBuffer::new(vec![PacketMetadata::EMPTY; 1], vec![0; 1]);
    let out = PacketBuffer::new(vec![PacketMetadata::EMPTY; OUTBOX], vec![0; OUTBOX * largest]);
    let mut socket = udp::Socket::new(none, out);
    // A fresh socket and a port that is not 0: it cannot fail.
    let _ = socket.bind(port);
    let mut sockets = SocketSet::new(Vec::with_capacity(1));
    let handle = sockets.add(socket);
    (sockets, handle)
}
