//! One TCP connection over the external interface.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddrV4;

use linux_abi::Errno;
use platform::Deadline;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{self, SocketBuffer, State};
use smoltcp::time::Duration;

use crate::net::endpoint::Endpoint;
use crate::net::stack::ports::Token;
use crate::vfs::Events;

/// How long an acknowledgement may wait for data to ride on (RFC 9293, section 3.8.6.3 allows 500 ms; Linux waits 40).
const DELAYED_ACK: Duration = Duration::from_millis(40);
/// How long a handshake of ours may take (`net.ipv4.tcp_syn_retries` = 6 comes to this).
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(127);
/// How long a link address may be asked for before the host counts as unreachable (three requests, as in Linux).
pub(super) const RESOLUTION_TIMEOUT: Deadline = 3_000_000_000;
/// How long a handshake of a client may take, so that half-open connections do not stay.
pub(super) const ACCEPT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection that the application has closed may stay silent (`net.ipv4.tcp_fin_timeout`).
pub(super) const ORPHAN_TIMEOUT: Duration = Duration::from_secs(60);

/// The two ends as seen from here, in one word and a half: the key of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    remote: u64,
    local_port: u16,
}

impl Flow {
    /// Of a connection between our port and a remote end.
    pub(crate) fn new(local_port: u16, remote: SocketAddrV4) -> Self {
        Self { remote: u64::from(u32::from(*remote.ip())) << 16 | u64::from(remote.port()), local_port }
    }
}

/// Who has the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A client's handshake goes on; it will be this listener's.
    Handshake(u32),
    /// In the accept queue of this listener.
    Queued(u32),
    /// A socket.
    Socket,
    /// Nobody: the socket was closed, and the rest of the protocol runs off.
    Orphan,
}

/// What the owner has been told last.
#[derive(Clone, Copy)]
struct Seen {
    received: usize,
    writable: bool,
    state: State,
}

/// A connection.
pub(crate) struct Connection {
    pub(super) sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// What it shares with its socket.
    pub(crate) endpoint: Arc<Endpoint>,
    pub(super) owner: Owner,
    pub(super) flow: Flow,
    /// Our end.
    pub(crate) local: SocketAddrV4,
    /// The other end.
    pub(crate) remote: SocketAddrV4,
    /// The earliest deadline of it in the timer heap.
    pub(super) scheduled: Option<Deadline>,
    /// It is in the list of connections to look at.
    pub(super) dirty: bool,
    /// It is in the list of connections that wait for a link address.
    pub(super) stalled: bool,
    /// When its first packet was due, until that has been sent.
    pub(super) silent_since: Option<Deadline>,
    /// No link address was found for the next hop.
    pub(super) unreachable: bool,
    /// The peer has reset it.
    pub(super) reset: bool,
    /// Our side of reading was shut down.
    pub(super) read_shut: bool,
    /// Data is held back until more comes (`TCP_CORK`, `MSG_MORE`).
    pub(super) corked: bool,
    /// The port that connect(2) took for it.
    pub(super) port: Option<Token>,
    /// Its end has been noted: the error is left, the table of flows does not lead to it any more.
    pub(super) finished: bool,
    seen: Seen,
}

/// The bytes of each direction's buffer, for the n-th connection: fewer when there are many, so that ten thousand fit into
/// 180 MiB. On our own bridge the delay is so short that 64 KiB fill it; larger buffers measured no faster.
fn buffer_size(connections: usize) -> usize {
    match connections {
        0..16 => 64 * 1024,
        16..128 => 32 * 1024,
        128..1024 => 16 * 1024,
        _ => 8 * 1024,
    }
}

fn buffer(size: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(size).map_err(|_| Errno::ENOBUFS)?;
    buffer.resize(size, 0);
    Ok(buffer)
}

impl Connection {
    /// A connection that is not open yet. `existing` is how many there are. `ENOBUFS` without memory for its buffers.
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        owner: Owner,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        existing: usize,
    ) -> Result<Self, Errno> {
        let size = buffer_size(existing);
        let (received, sent) = (buffer(size)?, buffer(size)?);
        let mut socket = tcp::Socket::new(SocketBuffer::new(received), SocketBuffer::new(sent));
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(Some(DELAYED_ACK));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        let seen = Seen { received: 0, writable: false, state: State::Closed };
        Ok(Self {
            sockets,
            handle,
            endpoint,
            owner,
            flow: Flow::new(local.port(), remote),
            local,
            remote,
            scheduled: None,
            dirty: false,
            stalled: false,
            silent_since: None,
            unreachable: false,
            reset: false,
            read_shut: false,
            corked: false,
            port: None,
            finished: false,
            seen,
        })
    }

    /// The protocol machine.
    pub(crate) fn tcp(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// The protocol machine, to look at.
    pub(crate) fn view(&self) -> &tcp::Socket<'static> {
        self.sockets.get(self.handle)
    }

    /// Whether the next data is acknowledged at once, or may wait for other data to ride on.
    pub(super) fn acknowledge_soon(&mut self, at_once: bool) {
        self.tcp().set_ack_delay(Some(if at_once { Duration::ZERO } else { DELAYED_ACK }));
    }

    /// Whether a writer finds enough room to be worth waking: a third of the buffer, as in Linux.
    fn writable(&self) -> bool {
        let tcp = self.view();
        tcp.may_send() && (tcp.send_capacity() - tcp.send_queue()) * 3 >= tcp.send_capacity()
    }

    /// Whether no more data will come: the peer has said so, or the connection is over.
    pub(super) fn read_finished(&self) -> bool {
        let tcp = self.view();
        self.read_shut
            || !(tcp.may_recv() || matches!(tcp.state(), State::SynSent | State::SynReceived | State::Listen))
    }

    /// What it is ready for.
    pub(crate) fn events(&self) -> Events {
        let tcp = self.view();
        let state = tcp.state();
        let mut events = Events::empty();
        if matches!(state, State::SynSent | State::SynReceived) {
            return events;
        }
        events.set(Events::IN, tcp.recv_queue() > 0 || self.read_finished());
        events.set(Events::OUT, self.writable() || !tcp.may_send());
        let peer_done =
            matches!(state, State::CloseWait | State::LastAck | State::Closing | State::TimeWait | State::Closed);
        events.set(Events::RDHUP, peer_done || self.read_shut);
        let over = matches!(state, State::LastAck | State::Closing | State::TimeWait | State::Closed);
        events.set(Events::HUP, over || (self.read_shut && !tcp.may_send()));
        events.set(Events::ERR, self.endpoint.has_error());
        events
    }

    /// Whether the owner has to be told of what happened since the last look, which this is.
    pub(super) fn news(&mut self) -> bool {
        let now = Seen { received: self.view().recv_queue(), writable: self.writable(), state: self.view().state() };
        let old = core::mem::replace(&mut self.seen, now);
        now.received > old.received || (now.writable && !old.writable) || now.state != old.state
    }

    /// Remembers what the owner just did itself, which is no news to it.
    pub(super) fn note(&mut self) {
        self.seen = Seen { received: self.view().recv_queue(), writable: self.writable(), state: self.view().state() };
    }

    /// Why the connection ended, if not by us or in peace. `from` is the state in which it was last seen.
    pub(super) fn failure(&self) -> Option<Errno> {
        match self.seen.state {
            State::SynSent if self.unreachable => Some(Errno::EHOSTUNREACH),
            State::SynSent if self.reset => Some(Errno::ECONNREFUSED),
            State::SynSent => Some(Errno::ETIMEDOUT),
            State::LastAck | State::TimeWait | State::Closing => None,
            State::CloseWait if self.reset => Some(Errno::EPIPE),
            _ if self.reset => Some(Errno::ECONNRESET),
            _ => Some(Errno::ETIMEDOUT),
        }
    }
}
