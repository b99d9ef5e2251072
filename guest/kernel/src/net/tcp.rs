//! TCP sockets (tcp(7)).

use alloc::sync::Arc;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicU8, Ordering};

use linux_abi::Errno;
use smoltcp::time::Duration;

use crate::mem::{Sink, Source};
use crate::net::endpoint::Endpoint;
use crate::net::options::Options;
use crate::net::pair::Ancillary;
use crate::net::stack::{self, Arrival, Connected, Local, Sharing, Token};
use crate::sync::{Mutex, Once, mutex};
use crate::vfs::Events;

const IDLE: u8 = 0;
const LISTENING: u8 = 1;
const EXTERNAL: u8 = 2;
const LOCAL: u8 = 3;

/// A TCP socket.
pub(crate) struct Tcp {
    endpoint: Arc<Endpoint>,
    role: AtomicU8,
    setup: Mutex<Setup>,
    local: Once<Local>,
}

#[derive(Default)]
struct Setup {
    bound: Option<(SocketAddr, Token)>,
    /// connect(2) has not yet said how it ended.
    connecting: bool,
}

impl Tcp {
    /// A socket without an address.
    pub(crate) fn new() -> Self {
        Self::build(Endpoint::new(), IDLE)
    }

    fn build(endpoint: Arc<Endpoint>, role: u8) -> Self {
        Self { endpoint, role: AtomicU8::new(role), setup: mutex(Setup::default()), local: Once::new() }
    }

    /// What it shares with the stack.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    fn role(&self) -> u8 {
        self.role.load(Ordering::Acquire)
    }

    fn slot(&self) -> Result<u32, Errno> {
        self.endpoint.slot().ok_or(Errno::ENOTCONN)
    }

    /// bind(2).
    pub(crate) fn bind(&self, at: SocketAddr, sharing: Sharing) -> Result<(), Errno> {
        let mut setup = self.setup.lock();
        if setup.bound.is_some() || self.role() != IDLE {
            return Err(Errno::EINVAL);
        }
        setup.bound = Some(stack::with(|stack| stack.bind_tcp(at, sharing))?);
        Ok(())
    }

    /// listen(2).
    pub(crate) fn listen(&self, backlog: i32, family_v6: bool, sharing: Sharing) -> Result<(), Errno> {
        let mut setup = self.setup.lock();
        match self.role() {
            IDLE => {}
            LISTENING => {
                let slot = self.slot()?;
                stack::with(|stack| stack.set_backlog(slot, backlog));
                return Ok(());
            }
            _ => return Err(Errno::EINVAL),
        }
        let bound = match setup.bound {
            Some(bound) => bound,
            None => {
                let any = if family_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
                stack::with(|stack| stack.bind_tcp(SocketAddr::new(any, 0), sharing))?
            }
        };
        setup.bound = Some(bound);
        stack::with(|stack| stack.listen(&self.endpoint, bound, sharing.v6only, backlog))?;
        self.role.store(LISTENING, Ordering::Release);
        Ok(())
    }

    /// accept(2): the next connection, with the peer's address. `EAGAIN` if there is none.
    pub(crate) fn accept(&self) -> Result<(Self, SocketAddr), Errno> {
        if self.role() != LISTENING {
            return Err(Errno::EINVAL);
        }
        let slot = self.slot()?;
        stack::with(|stack| {
            Ok(match stack.accept(slot)? {
                Arrival::External(slot) => {
                    let connection = stack.connection(slot).ok_or(Errno::ECONNABORTED)?;
                    let peer = SocketAddr::V4(connection.remote);
                    (Self::build(connection.endpoint.clone(), EXTERNAL), peer)
                }
                Arrival::Local(local) => {
                    let peer = local.remote;
                    let socket = Self::build(local.end.endpoint().clone(), LOCAL);
                    socket.local.set(local);
                    (socket, peer)
                }
            })
        })
    }

    /// Begins connect(2). `EINPROGRESS` if the handshake goes on: [`Tcp::connected`] tells how it ends.
    pub(crate) fn connect(&self, to: SocketAddr) -> Result<(), Errno> {
        let mut setup = self.setup.lock();
        match self.role() {
            IDLE => {}
            EXTERNAL => return self.connect_again(&mut setup),
            _ => return Err(Errno::EISCONN),
        }
        let bound = setup.bound.map(|(at, _)| at);
        match stack::with(|stack| stack.connect(&self.endpoint, to, bound))? {
            Connected::External => {
                setup.connecting = true;
                self.role.store(EXTERNAL, Ordering::Release);
                Err(Errno::EINPROGRESS)
            }
            Connected::Local(local) => {
                self.local.set(local);
                self.role.store(LOCAL, Ordering::Release);
                Ok(())
            }
        }
    }

    fn connect_again(&self, setup: &mut Setup) -> Result<(), Errno> {
        if !setup.connecting {
            return Err(Errno::EISCONN);
        }
        match self.handshake_ended(setup) {
            Err(Errno::EAGAIN) => Err(Errno::EALREADY),
            result => result,
        }
    }

    fn handshake_ended(&self, setup: &mut Setup) -> Result<(), Errno> {
        let slot = self.slot()?;
        let result = stack::with(|stack| stack.handshake_result(slot));
        match result {
            Err(Errno::EAGAIN) => return Err(Errno::EAGAIN),
            Ok(()) => {}
            Err(_) => {
                // The socket may try again, with a connection of its own.
                self.endpoint.set_slot(None);
                self.role.store(IDLE, Ordering::Release);
                stack::with(|stack| stack.release(slot, true));
            }
        }
        setup.connecting = false;
        result
    }

    /// How the handshake of [`Tcp::connect`] ended; `EAGAIN` while it goes on.
    pub(crate) fn connected(&self) -> Result<(), Errno> {
        self.handshake_ended(&mut self.setup.lock())
    }

    /// Reads; 0 at the end of the stream.
    pub(crate) fn receive(&self, to: &mut Sink<'_>, peek: bool) -> Result<usize, Errno> {
        match self.role() {
            EXTERNAL => {
                let slot = self.slot()?;
                stack::with(|stack| stack.receive_tcp(slot, to, peek))
            }
            LOCAL => match self.endpoint.take_error() {
                Some(error) => Err(error),
                None => self.local.get().end.read(to, peek).map(|(count, _)| count),
            },
            _ => Err(Errno::ENOTCONN),
        }
    }

    /// Writes what fits; `more` says that the rest of a segment is to come.
    pub(crate) fn send(&self, from: &mut Source<'_>, more: bool) -> Result<usize, Errno> {
        match self.role() {
            EXTERNAL => {
                let slot = self.slot()?;
                stack::with(|stack| stack.send_tcp(slot, from, more))
            }
            LOCAL => self.local.get().end.write(from, Ancillary::default()),
            _ => Err(Errno::EPIPE),
        }
    }

    /// Sends what `more` held back.
    pub(crate) fn uncork(&self) {
        if let (EXTERNAL, Some(slot)) = (self.role(), self.endpoint.slot()) {
            stack::with(|stack| stack.uncork(slot));
        }
    }

    /// shutdown(2).
    pub(crate) fn shutdown(&self, read: bool, write: bool) -> Result<(), Errno> {
        match self.role() {
            EXTERNAL => {
                let slot = self.slot()?;
                stack::with(|stack| stack.shutdown_tcp(slot, read, write))
            }
            LOCAL => {
                let end = &self.local.get().end;
                if read {
                    end.shutdown_read();
                }
                if write {
                    end.shutdown_write();
                }
                Ok(())
            }
            _ => Err(Errno::ENOTCONN),
        }
    }

    /// What it is ready for.
    pub(crate) fn events(&self) -> Events {
        match (self.role(), self.endpoint.slot()) {
            (EXTERNAL, Some(slot)) => stack::lock().connection(slot).map_or(Events::HUP, |c| c.events()),
            (LISTENING, Some(slot)) => match stack::lock().acceptable(slot) {
                true => Events::IN,
                false => Events::empty(),
            },
            (LOCAL, _) => {
                let mut events = self.local.get().end.events();
                events.set(Events::ERR, self.endpoint.has_error());
                events
            }
            _ => Events::OUT | Events::HUP,
        }
    }

    /// How many bytes can be read (`FIONREAD`), and how many are not yet acknowledged (`SIOCOUTQ`).
    pub(crate) fn queued(&self) -> Result<(usize, usize), Errno> {
        match (self.role(), self.endpoint.slot()) {
            (EXTERNAL, Some(slot)) => {
                let mut stack = stack::lock();
                let tcp = stack.connection(slot).ok_or(Errno::EINVAL)?.view();
                Ok((tcp.recv_queue(), tcp.send_queue()))
            }
            (LOCAL, _) => Ok((self.local.get().end.readable(), self.local.get().end.unsent())),
            (LISTENING, _) => Err(Errno::EINVAL),
            _ => Ok((0, 0)),
        }
    }

    /// Our address, if there is one yet.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match (self.role(), self.endpoint.slot()) {
            (EXTERNAL, Some(slot)) => stack::lock().connection(slot).map(|c| c.local.into()),
            (LOCAL, _) => Some(self.local.get().local),
            _ => self.setup.lock().bound.map(|(at, _)| at),
        }
    }

    /// The peer's address; `ENOTCONN` without one.
    pub(crate) fn peer_address(&self) -> Result<SocketAddr, Errno> {
        match (self.role(), self.endpoint.slot()) {
            (EXTERNAL, Some(slot)) => {
                let mut stack = stack::lock();
                let connection = stack.connection(slot).ok_or(Errno::ENOTCONN)?;
                match connection.view().is_active() && connection.view().state() != smoltcp::socket::tcp::State::SynSent
                {
                    true => Ok(connection.remote.into()),
                    false => Err(Errno::ENOTCONN),
                }
            }
            (LOCAL, _) => Ok(self.local.get().remote),
            _ => Err(Errno::ENOTCONN),
        }
    }

    /// The state as `struct tcp_info` numbers it.
    pub(crate) fn state(&self) -> u8 {
        use linux_abi::net::tcp;
        use smoltcp::socket::tcp::State;
        match (self.role(), self.endpoint.slot()) {
            (LISTENING, _) => tcp::LISTEN,
            (LOCAL, _) => tcp::ESTABLISHED,
            (EXTERNAL, Some(slot)) => match stack::lock().connection(slot).map(|c| c.view().state()) {
                Some(State::SynSent) => tcp::SYN_SENT,
                Some(State::SynReceived) => tcp::SYN_RECV,
                Some(State::Established) => tcp::ESTABLISHED,
                Some(State::FinWait1) => tcp::FIN_WAIT1,
                Some(State::FinWait2) => tcp::FIN_WAIT2,
                Some(State::CloseWait) => tcp::CLOSE_WAIT,
                Some(State::Closing) => tcp::CLOSING,
                Some(State::LastAck) => tcp::LAST_ACK,
                Some(State::TimeWait) => tcp::TIME_WAIT,
                _ => tcp::CLOSE,
            },
            _ => tcp::CLOSE,
        }
    }

    /// Whether it listens (`SO_ACCEPTCONN`).
    pub(crate) fn is_listening(&self) -> bool {
        self.role() == LISTENING
    }

    /// Gives the options that the protocol machine keeps to it.
    pub(crate) fn apply(&self, options: &Options) {
        let (EXTERNAL, Some(slot)) = (self.role(), self.endpoint.slot()) else { return };
        stack::with(|stack| {
            let Some(connection) = stack.connection(slot) else { return };
            let tcp = connection.tcp();
            tcp.set_hop_limit(Some(options.ttl.max(1)));
            // The protocol machine has one interval: probes begin after the idle time and are then as far apart.
            let idle = u64::from(options.keep_idle);
            let patience = idle + u64::from(options.keep_interval) * u64::from(options.keep_count);
            tcp.set_keep_alive(options.keep_alive.then(|| Duration::from_secs(idle)));
            let timeout = match options.user_timeout {
                0 => options.keep_alive.then(|| Duration::from_secs(patience)),
                limit if options.keep_alive => Some(Duration::from_millis(u64::from(limit).max(idle * 1000))),
                _ => None,
            };
            if tcp.may_send() {
                tcp.set_timeout(timeout);
            }
        });
    }

    /// The last descriptor was closed.
    pub(crate) fn close(&self, reset: bool) {
        let mut setup = self.setup.lock();
        let slot = self.endpoint.slot();
        let listener = match (self.role(), slot) {
            (LISTENING, Some(slot)) => stack::with(|stack| stack.close_listener(slot)),
            (EXTERNAL, Some(slot)) => {
                stack::with(|stack| stack.release(slot, reset));
                None
            }
            (LOCAL, _) => {
                self.local.get().end.close();
                None
            }
            _ => None,
        };
        drop(listener);
        self.endpoint.set_slot(None);
        self.role.store(IDLE, Ordering::Release);
        if let Some((_, token)) = setup.bound.take() {
            stack::with(|stack| stack.release_tcp(token));
        }
    }
}
