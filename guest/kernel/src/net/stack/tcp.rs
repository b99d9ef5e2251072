//! What TCP sockets ask of the stack.

use alloc::sync::Arc;
use core::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4};

use linux_abi::Errno;
use smoltcp::socket::tcp::{RecvError, State};
use smoltcp::wire::IpListenEndpoint;

use crate::machine::machine;
use crate::mem::{Sink, Source};
use crate::net::endpoint::Endpoint;
use crate::net::pair;
use crate::net::stack::Stack;
use crate::net::stack::connection::{CONNECT_TIMEOUT, Connection, Owner};
use crate::net::stack::listener::{Arrival, Listener, Local};
use crate::net::stack::ports::{Sharing, Token};

/// How many connections from inside the instance wait to be accepted at most.
const LOCAL_BACKLOG: usize = 4096;

/// What connect(2) began.
pub(crate) enum Connected {
    /// A handshake with the outside.
    External,
    /// A connection inside the instance, already complete.
    Local(Local),
}

impl Stack {
    /// bind(2) of a TCP socket. `EADDRNOTAVAIL` for an address that is not ours.
    pub(crate) fn bind_tcp(&mut self, at: SocketAddr, sharing: Sharing) -> Result<(SocketAddr, Token), Errno> {
        self.check_bindable(at.ip())?;
        self.tcp_ports.bind(at, sharing)
    }

    /// Gives a port back.
    pub(crate) fn release_tcp(&mut self, token: Token) {
        self.tcp_ports.release(token);
    }

    pub(super) fn check_bindable(&self, address: IpAddr) -> Result<(), Errno> {
        match address.is_unspecified() || self.is_own(address) {
            true => Ok(()),
            false => Err(Errno::EADDRNOTAVAIL),
        }
    }

    /// listen(2) on a bound address; gives the listener's slot.
    pub(crate) fn listen(
        &mut self,
        endpoint: &Arc<Endpoint>,
        (at, token): (SocketAddr, Token),
        v6only: bool,
        backlog: i32,
    ) -> Result<u32, Errno> {
        self.tcp_ports.listen(token)?;
        let slot = self.listeners.insert(Listener::new(endpoint.clone(), at, v6only, backlog));
        endpoint.set_slot(Some(slot));
        Ok(slot)
    }

    /// listen(2) again: another length of the queue.
    pub(crate) fn set_backlog(&mut self, slot: u32, backlog: i32) {
        if let Some(listener) = self.listeners.get_mut(slot) {
            listener.set_backlog(backlog);
        }
    }

    /// Takes the next connection out of the accept queue; `EAGAIN` if there is none.
    pub(crate) fn accept(&mut self, slot: u32) -> Result<Arrival, Errno> {
        let arrival = self.listeners.get_mut(slot).ok_or(Errno::EINVAL)?.queue.pop_front().ok_or(Errno::EAGAIN)?;
        if let Arrival::External(slot) = arrival
            && let Some(connection) = self.connections.get_mut(slot)
        {
            connection.owner = Owner::Socket;
        }
        Ok(arrival)
    }

    /// Whether a connection waits to be accepted.
    pub(crate) fn acceptable(&self, slot: u32) -> bool {
        self.listeners.get(slot).is_some_and(|listener| !listener.queue.is_empty())
    }

    /// Ends a listener; what it had not given away is reset. The local ends among it are for the caller to drop, outside
    /// the lock.
    #[must_use]
    pub(crate) fn close_listener(&mut self, slot: u32) -> Option<Listener> {
        let listener = self.listeners.remove(slot)?;
        let own = |(_, c): &(u32, &Connection)| c.owner == Owner::Handshake(slot) || c.owner == Owner::Queued(slot);
        let left: alloc::vec::Vec<u32> = self.connections.iter().filter(own).map(|(slot, _)| slot).collect();
        left.into_iter().for_each(|slot| self.release(slot, true));
        Some(listener)
    }

    /// connect(2). `bound` is the address that bind(2) took, or that of an earlier attempt.
    pub(crate) fn connect(
        &mut self,
        endpoint: &Arc<Endpoint>,
        to: SocketAddr,
        bound: Option<SocketAddr>,
    ) -> Result<Connected, Errno> {
        let to = self.resolve_unspecified(to);
        if self.is_own(to.ip()) {
            return self.connect_inside(endpoint, to, bound).map(Connected::Local);
        }
        let SocketAddr::V4(remote) = to else { return Err(Errno::ENETUNREACH) };
        let address = self.address().ok_or(Errno::ENETUNREACH)?;
        if remote.port() == 0 {
            return Err(Errno::ECONNREFUSED);
        }
        let (port, token) = match bound {
            Some(bound) => (bound.port(), None),
            None => {
                let wanted = SocketAddr::new(address.into(), 0);
                let taken = self.tcp_ports.bind(wanted, Sharing::default()).map_err(|_| Errno::EADDRNOTAVAIL)?;
                (taken.0.port(), Some(taken.1))
            }
        };
        let local = SocketAddrV4::new(address, port);
        let result = self.start_handshake(endpoint, local, remote, token);
        if let (Err(_), Some(token)) = (&result, token) {
            self.tcp_ports.release(token);
        }
        result.map(|_| Connected::External)
    }

    fn start_handshake(
        &mut self,
        endpoint: &Arc<Endpoint>,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        port: Option<Token>,
    ) -> Result<u32, Errno> {
        let mut connection = Connection::new(endpoint.clone(), Owner::Socket, local, remote, self.connections.len())?;
        if self.flows.contains_key(&connection.flow) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let Some(external) = &mut self.external else { return Err(Errno::ENETUNREACH) };
        let remote = ((*remote.ip()).into(), remote.port());
        let local = IpListenEndpoint { addr: Some((*local.ip()).into()), port: local.port() };
        let address: (smoltcp::wire::IpAddress, u16) = remote;
        connection.tcp().connect(external.context(), address, local).map_err(|_| Errno::EADDRNOTAVAIL)?;
        connection.tcp().set_timeout(Some(CONNECT_TIMEOUT));
        connection.port = port;
        connection.silent_since = Some(machine().monotonic_ns());
        connection.note();
        let slot = self.add(connection);
        self.touch(slot);
        Ok(slot)
    }

    /// "This host" as a destination means the loopback (as Linux takes it).
    pub(super) fn resolve_unspecified(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(core::net::Ipv4Addr::LOCALHOST.into(), to.port()),
            IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), to.port()),
            _ => to,
        }
    }

    fn connect_inside(
        &mut self,
        endpoint: &Arc<Endpoint>,
        to: SocketAddr,
        bound: Option<SocketAddr>,
    ) -> Result<Local, Errno> {
        let slot = self.listeners.find(to, 0).ok_or(Errno::ECONNREFUSED)?;
        // The address that we would be seen from: the one that we talk to, as it is one of ours.
        let (port, address) = match bound {
            Some(bound) if !bound.ip().is_unspecified() => (bound.port(), bound.ip()),
            Some(bound) => (bound.port(), to.ip()),
            None => {
                // Only a number to be seen by: it is given back at once, as no packet will ever need it.
                let (at, token) = self.tcp_ports.bind(SocketAddr::new(to.ip(), 0), Sharing::default())?;
                self.tcp_ports.release(token);
                (at.port(), to.ip())
            }
        };
        let local = SocketAddr::new(address, port);
        let listener = self.listeners.get_mut(slot).ok_or(Errno::ECONNREFUSED)?;
        // A handshake over packets would be tried again until there is room; here the queue is simply longer.
        if listener.queue.len() >= LOCAL_BACKLOG {
            return Err(Errno::ECONNREFUSED);
        }
        let (ours, theirs) = pair::connect(endpoint.clone(), Endpoint::new());
        listener.queue.push_back(Arrival::Local(Local { end: theirs, local: to, remote: local }));
        self.woken.push(listener.endpoint.clone());
        Ok(Local { end: ours, local, remote: to })
    }

    /// Reads from a connection: straight from its buffer to the application. 0 at the end of the stream.
    pub(crate) fn receive_tcp(&mut self, slot: u32, to: &mut Sink<'_>, peek: bool) -> Result<usize, Errno> {
        let connection = self.connections.get_mut(slot).ok_or(Errno::ENOTCONN)?;
        if connection.read_shut {
            return Ok(0);
        }
        if matches!(connection.view().state(), State::SynSent | State::SynReceived) {
            return Err(Errno::EAGAIN);
        }
        if connection.view().recv_queue() == 0 {
            return match connection.endpoint.take_error() {
                Some(error) => Err(error),
                None if connection.read_finished() => Ok(0),
                None => Err(Errno::EAGAIN),
            };
        }
        if peek {
            return peek_into(connection, to);
        }
        let pressed = connection.view().recv_queue() * 2 >= connection.view().recv_capacity();
        let before = to.done();
        // Twice, as the ring may wrap.
        for _ in 0..2 {
            let step = connection.tcp().recv(|data| match to.put(data) {
                Ok(n) => (n, Ok(n)),
                Err(e) => (0, Err(e)),
            });
            match step {
                Ok(Err(e)) if to.done() == before => return Err(e),
                Err(RecvError::InvalidState | RecvError::Finished) | Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(_)) => {}
            }
        }
        connection.note();
        if pressed {
            // The window was closing: the peer should hear soon that it is open again.
            self.touch(slot);
        }
        Ok(to.done() - before)
    }

    /// Writes to a connection: straight from the application to its buffer, and on to the wire unless `more` is to come.
    pub(crate) fn send_tcp(&mut self, slot: u32, from: &mut Source<'_>, more: bool) -> Result<usize, Errno> {
        let connection = self.connections.get_mut(slot).ok_or(Errno::EPIPE)?;
        if let Some(error) = connection.endpoint.take_error() {
            return Err(error);
        }
        if matches!(connection.view().state(), State::SynSent | State::SynReceived) {
            return Err(Errno::EAGAIN);
        }
        if !connection.view().may_send() {
            return Err(Errno::EPIPE);
        }
        let before = from.done();
        for _ in 0..2 {
            let step = connection.tcp().send(|room| match from.take(room) {
                Ok(n) => (n, Ok(n)),
                Err(e) => (0, Err(e)),
            });
            match step {
                Ok(Err(e)) if from.done() == before => return Err(e),
                Err(_) => return Err(Errno::EPIPE),
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(_)) => {}
            }
        }
        connection.note();
        connection.corked = more;
        let count = from.done() - before;
        if count == 0 && from.remaining() > 0 {
            return Err(Errno::EAGAIN);
        }
        self.touch(slot);
        Ok(count)
    }

    /// shutdown(2) of a connection.
    pub(crate) fn shutdown_tcp(&mut self, slot: u32, read: bool, write: bool) -> Result<(), Errno> {
        let connection = self.connections.get_mut(slot).ok_or(Errno::ENOTCONN)?;
        if !connection.view().is_active() {
            return Err(Errno::ENOTCONN);
        }
        connection.read_shut |= read;
        if write {
            connection.corked = false;
            connection.tcp().close();
        }
        self.woken.push(connection.endpoint.clone());
        self.touch(slot);
        Ok(())
    }

    /// Whether the handshake of a connection is over, and how it ended.
    pub(crate) fn handshake_result(&mut self, slot: u32) -> Result<(), Errno> {
        let connection = self.connections.get_mut(slot).ok_or(Errno::ECONNREFUSED)?;
        match connection.view().state() {
            State::SynSent | State::SynReceived => Err(Errno::EAGAIN),
            State::Closed => Err(connection.endpoint.take_error().unwrap_or(Errno::ECONNABORTED)),
            _ => {
                connection.tcp().set_timeout(None);
                Ok(())
            }
        }
    }

    /// Sends what a cork held back.
    pub(crate) fn uncork(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.corked = false;
            self.touch(slot);
        }
    }

    /// The clock of the stack.
    pub(crate) fn now(&self) -> u64 {
        machine().monotonic_ns()
    }
}

fn peek_into(connection: &mut Connection, to: &mut Sink<'_>) -> Result<usize, Errno> {
    // Both parts of the ring, without taking: through a copy, as peeking is rare.
    let mut data = alloc::vec![0u8; connection.view().recv_queue().min(to.remaining())];
    let count = connection.tcp().peek_slice(&mut data).map_err(|_| Errno::ENOTCONN)?;
    to.put(&data[..count])
}
