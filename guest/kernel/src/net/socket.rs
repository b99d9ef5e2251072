//! The file behind a socket's descriptor: one of the kinds, and the options that all keep.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::Errno;
use linux_abi::net::{af, ipproto, msg, sock};
use platform::UserAddr;

use crate::mem::{Sink, Source};
use crate::net::address::{SockAddr, UnixName};
use crate::net::endpoint::Endpoint;
use crate::net::netlink::Netlink;
use crate::net::options::Options;
use crate::net::pair::{Ancillary, Sender};
use crate::net::stack::Sharing;
use crate::net::tcp::Tcp;
use crate::net::udp::Udp;
use crate::net::unix::{Unix, current_sender};
use crate::sync::{Mutex, mutex};
use crate::vfs::{Attributes, Events, File, Kind as FileKind};
use crate::wait::WaitQueue;

/// The device number under which sockets appear in fstat(2) (sockfs).
const SOCKFS: u64 = 8;
const SIGPIPE: u32 = 13;
/// The flags of a message that its kinds look at themselves.
const KNOWN_FLAGS: u32 = msg::PEEK | msg::MORE;

static NEXT_INODE: AtomicU64 = AtomicU64::new(1);

/// A kind of socket.
pub(crate) enum Kind {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp(Udp),
    /// AF_UNIX.
    Unix(Arc<Unix>),
    /// AF_NETLINK.
    Netlink(Netlink),
}

/// A socket.
pub(crate) struct Socket {
    /// The address family.
    pub(crate) family: u16,
    /// The kind.
    pub(crate) kind: Kind,
    /// The options.
    pub(crate) options: Mutex<Options>,
    inode: u64,
}

/// What a receiving call gave.
pub(crate) struct Received {
    /// Bytes that were given out.
    pub(crate) count: usize,
    /// The length of the message, which may be more.
    pub(crate) len: usize,
    /// Who sent it, where that is told.
    pub(crate) from: Option<SockAddr>,
    /// The address it was sent to (`IP_PKTINFO`).
    pub(crate) to: Option<IpAddr>,
    /// What travelled with it.
    pub(crate) ancillary: Ancillary,
}

impl Received {
    fn plain(count: usize) -> Self {
        Self { count, len: count, from: None, to: None, ancillary: Ancillary::default() }
    }
}

impl Socket {
    /// socket(2), without the flags in the type.
    pub(crate) fn open(family: u16, kind: u32, protocol: u32) -> Result<Self, Errno> {
        let inner = match (family, kind) {
            (af::INET | af::INET6, sock::STREAM) if matches!(protocol, 0 | ipproto::TCP) => Kind::Tcp(Tcp::new()),
            (af::INET | af::INET6, sock::DGRAM) if matches!(protocol, 0 | ipproto::UDP) => {
                Kind::Udp(Udp::new(family == af::INET6))
            }
            (af::INET | af::INET6, sock::STREAM | sock::DGRAM) => return Err(Errno::EPROTONOSUPPORT),
            (af::INET | af::INET6 | af::PACKET, sock::RAW) => return Err(Errno::EPERM),
            (af::PACKET, _) => return Err(Errno::EPERM),
            (af::UNIX, sock::STREAM | sock::DGRAM | sock::SEQPACKET) if protocol <= 1 => Kind::Unix(Unix::new(kind)),
            // Linux takes a raw AF_UNIX socket for a datagram one.
            (af::UNIX, sock::RAW) if protocol <= 1 => Kind::Unix(Unix::new(sock::DGRAM)),
            (af::UNIX, _) if protocol > 1 => return Err(Errno::EPROTONOSUPPORT),
            (af::NETLINK, sock::RAW | sock::DGRAM) if protocol == 0 => Kind::Netlink(Netlink::new()),
            (af::NETLINK, sock::RAW | sock::DGRAM) => return Err(Errno::EPROTONOSUPPORT),
            (af::INET | af::INET6 | af::UNIX | af::NETLINK, _) => return Err(Errno::ESOCKTNOSUPPORT),
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        Ok(Self::of(family, inner, Options::default()))
    }

    /// A socket of a kind.
    pub(crate) fn of(family: u16, kind: Kind, options: Options) -> Self {
        Self { family, kind, options: mutex(options), inode: NEXT_INODE.fetch_add(1, Ordering::Relaxed) }
    }

    /// The type (`SO_TYPE`).
    pub(crate) fn socket_type(&self) -> u32 {
        match &self.kind {
            Kind::Tcp(_) => sock::STREAM,
            Kind::Udp(_) => sock::DGRAM,
            Kind::Unix(unix) => unix.kind(),
            Kind::Netlink(_) => sock::RAW,
        }
    }

    /// What its waiters wait on.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.endpoint(),
            Kind::Udp(udp) => udp.endpoint(),
            Kind::Unix(unix) => unix.endpoint(),
            Kind::Netlink(netlink) => netlink.endpoint(),
        }
    }

    fn sharing(&self) -> Sharing {
        let options = self.options.lock();
        Sharing { address: options.reuse_address, port: options.reuse_port, v6only: options.v6only }
    }

    /// bind(2). `mode` is what a path's file gets.
    pub(crate) fn bind(&self, to: SockAddr, mode: u32) -> Result<(), Errno> {
        match (&self.kind, to) {
            (Kind::Tcp(tcp), SockAddr::Internet(at)) => tcp.bind(at, self.sharing()),
            (Kind::Udp(udp), SockAddr::Internet(at)) => udp.bind(at, self.sharing()),
            (Kind::Unix(unix), SockAddr::Unix(name)) => unix.bind(name, mode),
            (Kind::Netlink(netlink), SockAddr::Netlink(port)) => netlink.bind(port),
            // Historic: AF_UNSPEC with the wildcard address binds an IPv4 socket.
            (Kind::Tcp(_) | Kind::Udp(_), _) => Err(Errno::EAFNOSUPPORT),
            _ => Err(Errno::EINVAL),
        }
    }

    /// listen(2).
    pub(crate) fn listen(&self, backlog: i32) -> Result<(), Errno> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.listen(backlog, self.family == af::INET6, self.sharing()),
            Kind::Unix(unix) => unix.listen(backlog),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// accept(2): the new socket and the peer's address. `EAGAIN` if nobody waits.
    pub(crate) fn accept(&self) -> Result<(Self, SockAddr), Errno> {
        match &self.kind {
            Kind::Tcp(tcp) => {
                let (accepted, peer) = tcp.accept()?;
                let options = Options { linger: None, ..self.options.lock().clone() };
                accepted.apply(&options);
                Ok((Self::of(self.family, Kind::Tcp(accepted), options), SockAddr::Internet(peer)))
            }
            Kind::Unix(unix) => {
                let accepted = unix.accept()?;
                let peer = SockAddr::Unix(accepted.peer_name().unwrap_or(UnixName::Unnamed));
                Ok((Self::of(self.family, Kind::Unix(accepted), Options::default()), peer))
            }
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// Begins connect(2). `EINPROGRESS` if [`Socket::connected`] will tell how it ends.
    pub(crate) fn connect(&self, to: SockAddr) -> Result<(), Errno> {
        match (&self.kind, to) {
            (Kind::Tcp(tcp), SockAddr::Internet(at)) => tcp.connect(at),
            (Kind::Udp(udp), SockAddr::Internet(at)) => udp.connect(Some(at)),
            (Kind::Udp(udp), SockAddr::Unspecified) => udp.connect(None),
            (Kind::Unix(unix), SockAddr::Unix(name)) => unix.connect(&name),
            (Kind::Unix(unix), SockAddr::Unspecified) if unix.kind() == sock::DGRAM => {
                unix.disconnect();
                Ok(())
            }
            (Kind::Netlink(_), _) => Ok(()),
            (Kind::Tcp(_), _) => Err(Errno::EAFNOSUPPORT),
            _ => Err(Errno::EINVAL),
        }
    }

    /// How the connect(2) that gave `EINPROGRESS` ended; `EAGAIN` while it goes on.
    pub(crate) fn connected(&self) -> Result<(), Errno> {
        let Kind::Tcp(tcp) = &self.kind else { return Ok(()) };
        tcp.connected()?;
        tcp.apply(&self.options.lock());
        Ok(())
    }

    /// Sends what fits. `EAGAIN` if nothing does.
    pub(crate) fn send(
        &self,
        from: &mut Source<'_>,
        to: Option<&SockAddr>,
        ancillary: Ancillary,
        flags: u32,
    ) -> Result<usize, Errno> {
        if flags & msg::OOB != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        match &self.kind {
            Kind::Tcp(tcp) => {
                let more = flags & KNOWN_FLAGS & msg::MORE != 0 || self.options.lock().cork;
                tcp.send(from, more)
            }
            Kind::Udp(udp) => match to {
                None | Some(SockAddr::Unspecified) => udp.send(from, None),
                Some(SockAddr::Internet(at)) if is_broadcast(at.ip()) && !self.options.lock().broadcast => {
                    Err(Errno::EACCES)
                }
                Some(SockAddr::Internet(at)) => udp.send(from, Some(*at)),
                Some(_) => Err(Errno::EAFNOSUPPORT),
            },
            Kind::Unix(unix) => match to {
                None => unix.send(from, None, ancillary),
                Some(SockAddr::Unix(name)) => unix.send(from, Some(name), ancillary),
                Some(_) => Err(Errno::EINVAL),
            },
            Kind::Netlink(netlink) => netlink.send(from),
        }
    }

    /// Reads what there is. `EAGAIN` if there is nothing.
    pub(crate) fn receive(&self, to: &mut Sink<'_>, flags: u32) -> Result<Received, Errno> {
        if flags & msg::OOB != 0 {
            return Err(Errno::EINVAL);
        }
        if flags & msg::ERRQUEUE != 0 {
            return Err(Errno::EAGAIN);
        }
        let peek = flags & msg::PEEK != 0;
        match &self.kind {
            Kind::Tcp(tcp) => tcp.receive(to, peek).map(Received::plain),
            Kind::Udp(udp) => {
                let heard = udp.receive(to, peek)?;
                let from = Some(SockAddr::Internet(heard.from));
                let ancillary = Ancillary::default();
                Ok(Received { count: heard.count, len: heard.len, from, to: Some(heard.to), ancillary })
            }
            Kind::Unix(unix) => {
                let taken = unix.receive(to, peek)?;
                let named = unix.kind() != sock::STREAM && taken.from != UnixName::Unnamed;
                let from = named.then_some(SockAddr::Unix(taken.from));
                Ok(Received { count: taken.count, len: taken.len, from, to: None, ancillary: taken.ancillary })
            }
            Kind::Netlink(netlink) => {
                let (count, len) = netlink.receive(to, peek)?;
                let from = Some(SockAddr::Netlink(0));
                Ok(Received { count, len, from, to: None, ancillary: Ancillary::default() })
            }
        }
    }

    /// Whether messages have borders.
    pub(crate) fn keeps_borders(&self) -> bool {
        self.socket_type() != sock::STREAM
    }

    /// getsockname(2).
    pub(crate) fn local_address(&self) -> SockAddr {
        let any = || match self.family {
            af::INET6 => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
            _ => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        };
        match &self.kind {
            Kind::Tcp(tcp) => SockAddr::Internet(tcp.local_address().unwrap_or_else(any)),
            Kind::Udp(udp) => SockAddr::Internet(udp.local_address().unwrap_or_else(any)),
            Kind::Unix(unix) => SockAddr::Unix(unix.name()),
            Kind::Netlink(netlink) => SockAddr::Netlink(netlink.port()),
        }
    }

    /// getpeername(2).
    pub(crate) fn peer_address(&self) -> Result<SockAddr, Errno> {
        Ok(match &self.kind {
            Kind::Tcp(tcp) => SockAddr::Internet(tcp.peer_address()?),
            Kind::Udp(udp) => SockAddr::Internet(udp.peer_address()?),
            Kind::Unix(unix) => SockAddr::Unix(unix.peer_name()?),
            Kind::Netlink(_) => SockAddr::Netlink(0),
        })
    }

    /// shutdown(2).
    pub(crate) fn shutdown(&self, read: bool, write: bool) -> Result<(), Errno> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.shutdown(read, write),
            Kind::Unix(unix) => unix.shutdown(read, write),
            Kind::Udp(udp) => udp.peer_address().map(|_| ()),
            Kind::Netlink(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// Who is at the other end (`SO_PEERCRED`).
    pub(crate) fn peer_sender(&self) -> Sender {
        match &self.kind {
            Kind::Unix(unix) => unix.peer_sender().unwrap_or(Sender { pid: 0, uid: u32::MAX, gid: u32::MAX }),
            _ => Sender { pid: 0, uid: u32::MAX, gid: u32::MAX },
        }
    }

    /// The current process, where messages carry their sender (`SO_PASSCRED`).
    pub(crate) fn sender_to_note(&self) -> Option<Sender> {
        matches!(self.kind, Kind::Unix(_)).then(current_sender)
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(ip) if ip.is_broadcast())
}

impl File for Socket {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.receive(to, false),
            _ => self.receive(to, 0).map(|received| received.count),
        }
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        let ancillary = Ancillary { files: Vec::new(), sender: self.sender_to_note() };
        let result = self.send(from, None, ancillary, 0);
        if result == Err(Errno::EPIPE) {
            crate::task::send_signal(SIGPIPE);
        }
        result
    }

    fn poll(&self) -> Events {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.events(),
            Kind::Udp(udp) => udp.events(),
            Kind::Unix(unix) => unix.events(),
            Kind::Netlink(netlink) => netlink.events(),
        }
    }

    fn queue(&self) -> Option<&WaitQueue> {
        Some(&self.endpoint().queue)
    }

    fn ioctl(&self, request: u32, argument: UserAddr) -> Result<i64, Errno> {
        super::ioctl::ioctl(self, request, argument)
    }

    fn attributes(&self) -> Result<Attributes, Errno> {
        Ok(Attributes::synthetic(SOCKFS, self.inode, FileKind::Socket, 0o777))
    }

    fn describe(&self) -> Vec<u8> {
        alloc::format!("socket:[{}]", self.inode).into_bytes()
    }

    fn closed(&self) {
        match &self.kind {
            Kind::Tcp(tcp) => {
                let reset = self.options.lock().linger == Some(0);
                tcp.close(reset);
            }
            Kind::Udp(udp) => udp.close(),
            Kind::Unix(unix) => unix.close(),
            Kind::Netlink(_) => {}
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
