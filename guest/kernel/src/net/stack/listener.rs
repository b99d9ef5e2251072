//! Listening TCP sockets: who wants which connection, and those that wait to be accepted (listen(2)).

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;

use crate::net::endpoint::Endpoint;
use crate::net::pair::End;
use crate::net::stack::slab::Slab;

/// The largest accept queue (`net.core.somaxconn`).
const SOMAXCONN: usize = 4096;

/// A connection that waits to be accepted.
pub(crate) enum Arrival {
    /// From outside: its slot among the connections.
    External(u32),
    /// From a socket of this instance.
    Local(Local),
}

/// One end of a connection inside the instance.
pub(crate) struct Local {
    /// The end.
    pub(crate) end: End,
    /// Its own address.
    pub(crate) local: SocketAddr,
    /// The peer's address.
    pub(crate) remote: SocketAddr,
}

/// A listening socket.
pub(crate) struct Listener {
    /// What it shares with its socket.
    pub(crate) endpoint: Arc<Endpoint>,
    address: SocketAddr,
    v6only: bool,
    backlog: usize,
    /// Connections whose handshake goes on.
    pub(super) half_open: usize,
    /// Connections to be accepted.
    pub(crate) queue: VecDeque<Arrival>,
}

impl Listener {
    /// A listener on a bound address.
    pub(crate) fn new(endpoint: Arc<Endpoint>, address: SocketAddr, v6only: bool, backlog: i32) -> Self {
        let mut listener = Self { endpoint, address, v6only, backlog: 0, half_open: 0, queue: VecDeque::new() };
        listener.set_backlog(backlog);
        listener
    }

    /// Sets the length of the accept queue; a negative one means the largest (listen(2), as Linux takes it).
    pub(crate) fn set_backlog(&mut self, backlog: i32) {
        self.backlog = usize::try_from(backlog).unwrap_or(SOMAXCONN).min(SOMAXCONN);
    }

    /// Whether the accept queue is full. Linux lets one more in than asked for.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() > self.backlog
    }

    /// Whether no further handshake may begin: a flood of SYNs must not take all memory.
    pub(super) fn refuses_handshake(&self) -> bool {
        self.is_full() || self.half_open > self.backlog.max(128)
    }

    fn wants(&self, address: IpAddr) -> bool {
        let own = self.address.ip();
        match (own, address) {
            (IpAddr::V6(ip), IpAddr::V4(_)) => ip.is_unspecified() && !self.v6only,
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
            _ => own.is_unspecified() || own == address,
        }
    }
}

/// The listeners, by number and by port.
#[derive(Default)]
pub(crate) struct Listeners {
    slots: Slab<Listener>,
    ports: HashMap<u16, Vec<u32>>,
}

impl Listeners {
    /// Adds a listener.
    pub(crate) fn insert(&mut self, listener: Listener) -> u32 {
        let port = listener.address.port();
        let slot = self.slots.insert(listener);
        self.ports.entry(port).or_default().push(slot);
        slot
    }

    /// The listener with a number.
    pub(crate) fn get(&self, slot: u32) -> Option<&Listener> {
        self.slots.get(slot)
    }

    /// The listener with a number.
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut Listener> {
        self.slots.get_mut(slot)
    }

    /// Takes a listener away.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Listener> {
        let listener = self.slots.remove(slot)?;
        let port = listener.address.port();
        if let Some(slots) = self.ports.get_mut(&port) {
            slots.retain(|s| *s != slot);
            if slots.is_empty() {
                self.ports.remove(&port);
            }
        }
        Some(listener)
    }

    /// The listener for a connection to this address. One bound to the address comes before one bound to all; several of
    /// the same kind (`SO_REUSEPORT`) share by `choice`.
    pub(crate) fn find(&self, to: SocketAddr, choice: u32) -> Option<u32> {
        let slots = self.ports.get(&to.port())?;
        let wanting = |slot: &&u32| self.get(**slot).is_some_and(|l| l.wants(to.ip()));
        let exact = |slot: &&u32| self.get(**slot).is_some_and(|l| l.address.ip() == to.ip());
        let pick = |candidates: Vec<u32>| {
            let at = choice as usize % candidates.len().max(1);
            candidates.get(at).copied()
        };
        if let [only] = slots.as_slice() {
            return self.get(*only).is_some_and(|l| l.wants(to.ip())).then_some(*only);
        }
        pick(slots.iter().filter(exact).copied().collect())
            .or_else(|| pick(slots.iter().filter(wanting).copied().collect()))
    }
}
