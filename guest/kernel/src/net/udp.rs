//! UDP sockets (udp(7)).

use alloc::sync::Arc;
use alloc::vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use linux_abi::Errno;

use crate::mem::{Sink, Source};
use crate::net::endpoint::Endpoint;
use crate::net::stack::{self, Sharing};
use crate::sync::{Mutex, mutex};
use crate::vfs::Events;

/// The largest payload of a datagram.
const LARGEST: usize = 65_507;

/// A UDP socket.
pub(crate) struct Udp {
    endpoint: Arc<Endpoint>,
    v6: bool,
    /// Serialises bind and connect; the slot of the endpoint says whether the socket is bound.
    setup: Mutex<()>,
}

/// A datagram that was read.
pub(crate) struct Heard {
    /// Bytes that were given out.
    pub(crate) count: usize,
    /// Its length.
    pub(crate) len: usize,
    /// Who sent it.
    pub(crate) from: SocketAddr,
    /// To which address.
    pub(crate) to: IpAddr,
}

impl Udp {
    /// A socket without an address, of IPv6 (which serves IPv4 too) or IPv4.
    pub(crate) fn new(v6: bool) -> Self {
        Self { endpoint: Endpoint::new(), v6, setup: mutex(()) }
    }

    /// What it shares with the stack.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// bind(2).
    pub(crate) fn bind(&self, at: SocketAddr, sharing: Sharing) -> Result<(), Errno> {
        let _setup = self.setup.lock();
        if self.endpoint.slot().is_some() {
            return Err(Errno::EINVAL);
        }
        stack::with(|stack| stack.bind_udp(&self.endpoint, at, sharing)).map(|_| ())
    }

    /// The slot in the stack; a socket that has none is bound to a free port of every address first.
    fn slot(&self) -> Result<u32, Errno> {
        if let Some(slot) = self.endpoint.slot() {
            return Ok(slot);
        }
        let _setup = self.setup.lock();
        if let Some(slot) = self.endpoint.slot() {
            return Ok(slot);
        }
        let any: IpAddr = if self.v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        stack::with(|stack| stack.bind_udp(&self.endpoint, SocketAddr::new(any, 0), Sharing::default()))
    }

    /// connect(2); without an address it dissolves the association.
    pub(crate) fn connect(&self, to: Option<SocketAddr>) -> Result<(), Errno> {
        let slot = self.slot()?;
        stack::with(|stack| stack.connect_udp(slot, to))
    }

    /// Sends a datagram.
    pub(crate) fn send(&self, from: &mut Source<'_>, to: Option<SocketAddr>) -> Result<usize, Errno> {
        if let Some(error) = self.endpoint.take_error() {
            return Err(error);
        }
        let len = from.remaining();
        if len > LARGEST {
            return Err(Errno::EMSGSIZE);
        }
        let slot = self.slot()?;
        let mut data = vec![0u8; len];
        from.take(&mut data)?;
        let sent = stack::with(|stack| {
            let peer = stack.inbox(slot).and_then(|inbox| inbox.peer);
            let to = to.or(peer).ok_or(Errno::EDESTADDRREQ)?;
            if to.port() == 0 {
                return Err(Errno::EINVAL);
            }
            stack.send_udp(slot, to, &data)
        });
        if sent == Err(Errno::EAGAIN) {
            from.give_back(len);
        }
        sent.map(|()| len)
    }

    /// Reads the next datagram; what does not fit is lost. `EAGAIN` if there is none.
    pub(crate) fn receive(&self, to: &mut Sink<'_>, peek: bool) -> Result<Heard, Errno> {
        if let Some(error) = self.endpoint.take_error() {
            return Err(error);
        }
        let slot = self.endpoint.slot().ok_or(Errno::EAGAIN)?;
        let mut stack = stack::lock();
        let inbox = stack.inbox(slot).ok_or(Errno::EAGAIN)?;
        if peek {
            let datagram = inbox.queue.front().ok_or(Errno::EAGAIN)?;
            let count = to.put(&datagram.data)?;
            return Ok(Heard { count, len: datagram.data.len(), from: datagram.from, to: datagram.to });
        }
        let datagram = inbox.take().ok_or(Errno::EAGAIN)?;
        drop(stack);
        let count = to.put(&datagram.data)?;
        Ok(Heard { count, len: datagram.data.len(), from: datagram.from, to: datagram.to })
    }

    /// What it is ready for.
    pub(crate) fn events(&self) -> Events {
        let mut events = Events::OUT;
        let slot = self.endpoint.slot();
        let waiting = slot.is_some_and(|slot| stack::lock().inbox(slot).is_some_and(|inbox| !inbox.queue.is_empty()));
        events.set(Events::IN, waiting);
        events.set(Events::ERR, self.endpoint.has_error());
        events
    }

    /// The length of the next datagram (`FIONREAD`).
    pub(crate) fn queued(&self) -> usize {
        let Some(slot) = self.endpoint.slot() else { return 0 };
        stack::lock().inbox(slot).and_then(|inbox| inbox.queue.front().map(|d| d.data.len())).unwrap_or(0)
    }

    /// Our address, if there is one yet.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        let slot = self.endpoint.slot()?;
        stack::lock().inbox(slot).map(|inbox| inbox.local)
    }

    /// The peer's address; `ENOTCONN` without one.
    pub(crate) fn peer_address(&self) -> Result<SocketAddr, Errno> {
        let slot = self.endpoint.slot().ok_or(Errno::ENOTCONN)?;
        stack::lock().inbox(slot).and_then(|inbox| inbox.peer).ok_or(Errno::ENOTCONN)
    }

    /// The last descriptor was closed.
    pub(crate) fn close(&self) {
        if let Some(slot) = self.endpoint.slot() {
            self.endpoint.set_slot(None);
            stack::with(|stack| stack.close_udp(slot));
        }
    }
}
