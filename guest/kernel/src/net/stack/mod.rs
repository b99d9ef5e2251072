//! The protocol stack: everything behind the one lock of the network.
//!
//! Each connection is a smoltcp socket in a set of its own, found by its two ends, because smoltcp looks at every socket of
//! a set for each packet. A step takes up to [`BATCH`] frames, then looks once at each connection that was touched: sends
//! what it has to send, notes when it wants to be called next, and collects who has to be told.

mod connection;
mod datagram;
mod external;
mod ingress;
mod listener;
mod ports;
mod settle;
mod slab;
mod tcp;
mod timers;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use boot_info::Network;
use hashbrown::HashMap;
use platform::Deadline;

pub(crate) use connection::Connection;
pub(crate) use listener::{Arrival, Local};
pub(crate) use ports::{Sharing, Token};
pub(crate) use tcp::Connected;

use crate::machine::machine;
use crate::net::endpoint::{Endpoint, Wakes};
use crate::sync::{Mutex, MutexGuard, Once, mutex};
use connection::Flow;
use external::External;
use listener::Listeners;
use ports::Ports;
use slab::Slab;
use timers::Timers;

/// How many frames one step takes.
const BATCH: usize = 64;

/// The stack.
pub(crate) struct Stack {
    external: Option<External>,
    /// The buffer of the frame that is being processed.
    frame: Vec<u8>,
    connections: Slab<Connection>,
    flows: HashMap<Flow, u32>,
    listeners: Listeners,
    datagrams: datagram::Datagrams,
    tcp_ports: Ports,
    udp_ports: Ports,
    timers: Timers,
    /// Connections to look at before the lock is given back.
    dirty: Vec<u32>,
    /// Connections that wait for a link address.
    stalled: Vec<u32>,
    /// Closed connections in TIME-WAIT, oldest first.
    lingering: alloc::collections::VecDeque<u32>,
    /// Who has to be told besides.
    woken: Vec<Arc<Endpoint>>,
    /// Memory for the list of those that a step has to tell.
    spare: Wakes,
    /// What the watcher was told when it last asked.
    told: Option<Deadline>,
}

static STACK: Once<Mutex<Stack>> = Once::new();

/// Starts the stack; without a network only the loopback works.
pub(crate) fn init(network: Option<&Network>) {
    let now = machine().monotonic_ns();
    let external = network.map(|network| External::new(*network, now));
    let frame = if external.is_some() { External::frame_buffer() } else { Vec::new() };
    let mut random = [0u8; 4];
    machine().random(&mut random);
    let mut stack = Stack {
        external,
        frame,
        connections: Slab::default(),
        flows: HashMap::new(),
        listeners: Listeners::default(),
        datagrams: datagram::Datagrams::default(),
        tcp_ports: Ports::default(),
        udp_ports: Ports::default(),
        timers: Timers::default(),
        dirty: Vec::new(),
        stalled: Vec::new(),
        lingering: alloc::collections::VecDeque::new(),
        woken: Vec::new(),
        spare: Wakes::default(),
        told: None,
    };
    stack.tcp_ports.seed(u16::from_ne_bytes([random[0], random[1]]));
    stack.udp_ports.seed(u16::from_ne_bytes([random[2], random[3]]));
    STACK.set(mutex(stack));
}

/// The stack, locked.
pub(crate) fn lock() -> MutexGuard<'static, Stack> {
    STACK.get().lock()
}

/// Does something with the stack, then looks at what that touched, and tells who has to be told when the lock is free.
pub(crate) fn with<R>(action: impl FnOnce(&mut Stack) -> R) -> R {
    let mut wakes = Wakes::default();
    let mut stack = lock();
    let result = action(&mut stack);
    if !stack.dirty.is_empty() || !stack.woken.is_empty() {
        stack.settle(machine().monotonic_ns(), &mut wakes);
    }
    let sooner = stack.sooner_than_told();
    drop(stack);
    if sooner {
        crate::wait::deadline_changed();
    }
    wakes.notify();
    result
}

/// One step: receives, runs timers, sends. Gives the next deadline.
pub(crate) fn poll() -> Option<Deadline> {
    let mut stack = STACK.try_get()?.lock();
    let mut wakes = core::mem::take(&mut stack.spare);
    let next = stack.step(&mut wakes);
    stack.told = Some(next.unwrap_or(Deadline::MAX));
    drop(stack);
    wakes.notify();
    if wakes.has_capacity() {
        lock().spare = wakes;
    }
    next
}

impl Stack {
    fn step(&mut self, wakes: &mut Wakes) -> Option<Deadline> {
        let now = machine().monotonic_ns();
        let more = self.receive(now);
        while let Some((at, slot)) = self.timers.expired(now) {
            self.fire(at, slot);
        }
        if self.datagrams.retry_at().is_some_and(|at| at <= now) {
            self.flush_stalled_datagrams(now);
        }
        self.settle(now, wakes);
        match more {
            true => Some(now),
            false => [self.timers.next(), self.datagrams.retry_at()].into_iter().flatten().min(),
        }
    }

    /// Takes up to [`BATCH`] frames; says whether there may be more.
    fn receive(&mut self, now: Deadline) -> bool {
        if self.external.is_none() {
            return false;
        }
        let mut frame = core::mem::take(&mut self.frame);
        let mut more = true;
        for _ in 0..BATCH {
            let Some(len) = machine().receive_packet(&mut frame) else {
                more = false;
                break;
            };
            if let Some(frame) = frame.get(super::link::HEADER..len) {
                self.ingress(frame, now);
            }
        }
        self.frame = frame;
        more
    }

    /// Whether there is a deadline before the one that the watcher knows.
    fn sooner_than_told(&mut self) -> bool {
        let next = [self.timers.next(), self.datagrams.retry_at()].into_iter().flatten().min();
        match (self.told, next) {
            (Some(told), Some(next)) if next < told => {
                self.told = Some(next);
                true
            }
            _ => false,
        }
    }

    fn touch(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot)
            && !core::mem::replace(&mut connection.dirty, true)
        {
            self.dirty.push(slot);
        }
    }

    /// The connection in a slot.
    pub(crate) fn connection(&mut self, slot: u32) -> Option<&mut Connection> {
        self.connections.get_mut(slot)
    }

    /// The configuration of the external interface.
    pub(crate) fn network(&self) -> Option<&Network> {
        self.external.as_ref().map(|external| &external.network)
    }

    /// Our address towards the outside.
    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        self.external.as_ref().map(External::address)
    }

    /// Whether an address is one of this instance.
    pub(crate) fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.address().is_some_and(|own| IpAddr::V4(own) == address)
    }
}

#[cfg(test)]
impl Stack {
    /// How many connections there are, in any state.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.len()
    }

    /// Processes a frame as if it had arrived.
    pub(crate) fn inject(&mut self, frame: &[u8], now: Deadline) {
        self.ingress(frame, now);
    }
}
