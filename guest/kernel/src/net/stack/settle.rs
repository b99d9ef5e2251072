//! After something happened to a connection: send, note the next deadline, hand over, tell, clean up.

use platform::Deadline;
use smoltcp::socket::tcp::State;

use crate::net::endpoint::Wakes;
use crate::net::stack::Stack;
use crate::net::stack::connection::{Connection, ORPHAN_TIMEOUT, Owner, RESOLUTION_TIMEOUT};
use crate::net::stack::external::External;
use crate::net::stack::listener::Arrival;

/// How many closed connections are kept through TIME-WAIT; beyond it the oldest goes (`net.ipv4.tcp_max_tw_buckets`).
const LINGERING: usize = 256;
/// The least time between two looks at a connection that has nothing better to say.
const PAUSE: Deadline = 1_000_000;

impl Stack {
    /// Looks at every connection that was touched.
    pub(super) fn settle(&mut self, now: Deadline, wakes: &mut Wakes) {
        while let Some(slot) = self.dirty.pop() {
            self.settle_one(slot, now, wakes);
        }
        self.woken.drain(..).for_each(|endpoint| wakes.push(&endpoint));
    }

    fn settle_one(&mut self, slot: u32, now: Deadline, wakes: &mut Wakes) {
        let (Some(connection), Some(external)) = (self.connections.get_mut(slot), &mut self.external) else { return };
        connection.dirty = false;
        if connection.owner == Owner::Orphan && connection.view().recv_queue() > 0 {
            // Data that nobody will read (RFC 9293, section 3.10.4: CLOSE with data queued resets).
            connection.tcp().abort();
        }
        if !connection.corked || !connection.view().may_send() {
            flush(slot, connection, external, &mut self.stalled, now);
        }
        let before = connection.failure();
        let news = connection.news();
        match connection.owner {
            Owner::Handshake(listener) => self.settle_handshake(slot, listener, wakes),
            _ if news => wakes.push(&connection.endpoint),
            _ => {}
        }
        self.settle_end(slot, before);
        self.schedule(slot, now);
    }

    /// A handshake that is complete becomes a connection to accept; one that failed is forgotten.
    fn settle_handshake(&mut self, slot: u32, listener_slot: u32, wakes: &mut Wakes) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let state = connection.view().state();
        if state == State::SynReceived {
            return;
        }
        let listener = self.listeners.get_mut(listener_slot);
        let Some(listener) = listener.filter(|_| !matches!(state, State::Listen | State::Closed)) else {
            if let Some(listener) = self.listeners.get_mut(listener_slot) {
                listener.half_open = listener.half_open.saturating_sub(1);
            }
            self.remove(slot);
            return;
        };
        listener.half_open = listener.half_open.saturating_sub(1);
        listener.queue.push_back(Arrival::External(slot));
        connection.owner = Owner::Queued(listener_slot);
        connection.tcp().set_timeout(None);
        wakes.push(&listener.endpoint);
    }

    /// Notes the end of a connection, and forgets it when its socket is gone.
    fn settle_end(&mut self, slot: u32, failure: Option<linux_abi::Errno>) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let orphan = connection.owner == Owner::Orphan;
        match connection.view().state() {
            State::Closed => {
                if !core::mem::replace(&mut connection.finished, true) {
                    if let Some(error) = failure {
                        connection.endpoint.set_error(error);
                    }
                    let flow = connection.flow;
                    self.flows.remove(&flow);
                }
                if orphan {
                    self.remove(slot);
                }
            }
            State::TimeWait if orphan && !connection.finished => {
                connection.finished = true;
                connection.tcp().set_timeout(None);
                self.lingering.push_back(slot);
                if self.lingering.len() > LINGERING
                    && let Some(oldest) = self.lingering.pop_front()
                    && self.connections.get(oldest).is_some_and(|c| c.view().state() == State::TimeWait)
                {
                    self.remove(oldest);
                }
            }
            _ => {}
        }
    }

    /// Notes when a connection wants to be looked at next.
    fn schedule(&mut self, slot: u32, now: Deadline) {
        let (Some(connection), Some(external)) = (self.connections.get_mut(slot), &mut self.external) else { return };
        let Some(at) = external.next_deadline(&connection.sockets, now) else { return };
        let at = at.max(now + if connection.corked { 200 * PAUSE } else { PAUSE });
        if connection.scheduled.is_none_or(|scheduled| at < scheduled) {
            connection.scheduled = Some(at);
            self.timers.push(at, slot);
        }
    }

    /// A deadline of a connection has passed.
    pub(super) fn fire(&mut self, at: Deadline, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if connection.scheduled == Some(at) {
            connection.scheduled = None;
            connection.corked = false;
            self.touch(slot);
        }
    }

    /// A link address may have been learnt: those who wait for one try again.
    pub(super) fn retry_stalled(&mut self, now: Deadline) {
        for slot in core::mem::take(&mut self.stalled) {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.stalled = false;
            }
            self.touch(slot);
        }
        self.flush_stalled_datagrams(now);
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(connection) = self.connections.remove(slot) else { return };
        if self.flows.get(&connection.flow) == Some(&slot) {
            self.flows.remove(&connection.flow);
        }
        if let Some(port) = connection.port {
            self.tcp_ports.release(port);
        }
    }

    /// The socket of a connection was closed: the protocol goes on without it. `reset` asks for an immediate end.
    pub(crate) fn release(&mut self, slot: u32, reset: bool) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.owner = Owner::Orphan;
        connection.corked = false;
        let unread = connection.view().recv_queue() > 0;
        let tcp = connection.tcp();
        tcp.set_keep_alive(None);
        tcp.set_timeout(Some(ORPHAN_TIMEOUT));
        if unread || reset {
            tcp.abort();
        } else {
            tcp.close();
        }
        self.touch(slot);
    }
}

/// Sends what a connection has to send; remembers that it waits for a link address if it had something and nothing went.
fn flush(
    slot: u32,
    connection: &mut Connection,
    external: &mut External,
    stalled: &mut alloc::vec::Vec<u32>,
    now: Deadline,
) {
    let sent = external.flush(&mut connection.sockets, now);
    if sent {
        connection.silent_since = None;
    } else if connection.silent_since.is_some_and(|since| now >= since + RESOLUTION_TIMEOUT) {
        connection.silent_since = None;
        connection.unreachable = true;
        connection.tcp().abort();
    }
    let tcp = connection.view();
    let wants = tcp.send_queue() > 0 || !matches!(tcp.state(), State::Established | State::TimeWait);
    if !sent && wants && !core::mem::replace(&mut connection.stalled, true) {
        stalled.push(slot);
    }
}
