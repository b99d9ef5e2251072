//! From a received frame to its connection.

use alloc::sync::Arc;
use core::net::{SocketAddr, SocketAddrV4};

use platform::Deadline;
use smoltcp::socket::tcp::State;
use smoltcp::wire::IpListenEndpoint;

use crate::net::endpoint::Endpoint;
use crate::net::frame::{self, Frame, TcpFlags};
use crate::net::link::ETHERNET;
use crate::net::stack::Stack;
use crate::net::stack::connection::{ACCEPT_TIMEOUT, Connection, Flow, Owner};

impl Stack {
    /// Processes a frame.
    pub(super) fn ingress(&mut self, frame: &[u8], now: Deadline) {
        let Some(own) = self.address() else { return };
        match frame::classify(frame) {
            Frame::Tcp { from, to, flags } if *to.ip() == own => self.segment(frame, from, to, flags, now),
            Frame::Udp { from, to, payload } if self.receive_datagram(from, to, payload) => {}
            Frame::Unreachable { from, to } if *from.ip() == own => self.refuse_datagram(from, to),
            Frame::Arp => {
                self.for_nobody(frame, now);
                self.retry_stalled(now);
            }
            _ => self.for_nobody(frame, now),
        }
    }

    fn for_nobody(&mut self, frame: &[u8], now: Deadline) {
        if let Some(external) = &mut self.external {
            external.receive_for_nobody(frame, now);
        }
    }

    fn segment(&mut self, frame: &[u8], from: SocketAddrV4, to: SocketAddrV4, flags: TcpFlags, now: Deadline) {
        let flow = Flow::new(to.port(), from);
        let slot = match self.flows.get(&flow).copied() {
            // A client uses its port again: the old connection has been over long enough (RFC 9293, section 3.6.1).
            Some(slot) if flags.opening && self.in_time_wait(slot) => {
                self.remove(slot);
                self.handshake(from, to)
            }
            Some(slot) => Some(slot),
            None if flags.opening => match self.handshake(from, to) {
                Some(slot) => Some(slot),
                None if self.listener_for(from, to).is_some() => return,
                None => None,
            },
            None => None,
        };
        let (Some(slot), Some(external)) = (slot, &mut self.external) else {
            return self.for_nobody(frame, now);
        };
        if let Some(connection) = self.connections.get_mut(slot) {
            // The host joins segments before it hands them over: one large frame stands for several, and the sender may
            // have no right to send more before it hears of them.
            connection.acknowledge_soon(frame.len() > usize::from(external.network.mtu) + ETHERNET);
            external.receive(frame, &mut connection.sockets, now);
            connection.reset |= flags.reset;
        }
        self.touch(slot);
    }

    fn in_time_wait(&self, slot: u32) -> bool {
        self.connections.get(slot).is_some_and(|c| c.view().state() == State::TimeWait)
    }

    fn listener_for(&self, from: SocketAddrV4, to: SocketAddrV4) -> Option<u32> {
        let choice = u32::from(*from.ip()) ^ u32::from(from.port()).wrapping_mul(0x9e37_79b1);
        self.listeners.find(SocketAddr::V4(to), choice >> 8)
    }

    /// Makes the connection of a first SYN, if somebody listens and has room. `None` otherwise.
    fn handshake(&mut self, from: SocketAddrV4, to: SocketAddrV4) -> Option<u32> {
        let listener_slot = self.listener_for(from, to)?;
        let listener = self.listeners.get_mut(listener_slot)?;
        if listener.refuses_handshake() {
            return None;
        }
        let owner = Owner::Handshake(listener_slot);
        // Without memory the SYN is dropped: the client will try again.
        let mut connection = Connection::new(Endpoint::new(), owner, to, from, self.connections.len()).ok()?;
        listener.half_open += 1;
        let tcp = connection.tcp();
        tcp.set_timeout(Some(ACCEPT_TIMEOUT));
        // A fresh socket with a port that is not 0 can always listen; if not, the connection ends when it is settled.
        let _ = tcp.listen(IpListenEndpoint { addr: Some((*to.ip()).into()), port: to.port() });
        Some(self.add(connection))
    }

    /// Gives a connection its slot.
    pub(super) fn add(&mut self, mut connection: Connection) -> u32 {
        use smoltcp::socket::tcp::CongestionControl;
        // On our own bridge nothing is lost, and the window alone is the limit; beyond the gateway others share the way.
        if self.external.as_ref().is_some_and(|e| !e.is_neighbour(*connection.remote.ip())) {
            connection.tcp().set_congestion_control(CongestionControl::Reno);
        }
        let flow = connection.flow;
        let endpoint = Arc::clone(&connection.endpoint);
        let slot = self.connections.insert(connection);
        endpoint.set_slot(Some(slot));
        self.flows.insert(flow, slot);
        slot
    }
}
