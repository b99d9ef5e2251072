use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use super::PORT;
use super::answer::{Code, answer, bare};
use super::message::{Query, QueryError, parse_query};
use super::names::{Decision, Names};
use super::pending::{Pending, PendingTable};
use crate::bridge::parse_alias;
use crate::netlink::Socket;
use crate::{Error, Network, Subnet, link};

/// The largest packet that is taken: what EDNS clients usually offer, RFC 6891 section 6.2.5.
const PACKET_LENGTH: usize = 4096;
/// How many packets one call handles per socket, so that the caller's other work is not held up.
const BURST: usize = 64;

/// Answers the instances' DNS questions; each supervisor holds one.
#[derive(Debug)]
pub struct Resolver {
    /// Becomes readable when one of the sockets does.
    poll: OwnedFd,
    server: UdpSocket,
    upstream_v4: Option<UdpSocket>,
    upstream_v6: Option<UdpSocket>,
    /// The host's name servers, and which one is being asked.
    servers: Vec<SocketAddr>,
    current: usize,
    subnet: Subnet,
    names: Names,
    pending: PendingTable,
}

impl Resolver {
    /// Binds the bridge's address; `None` if there is no bridge yet or another program's name server has the port.
    ///
    /// Must be called in the host's network namespace.
    pub fn bind(network: &Network) -> Result<Option<Self>, Error> {
        Self::bind_with(network, super::host_servers())
    }

    /// As [`Resolver::bind`], but questions about other names go to these servers instead of the host's.
    pub fn bind_with(network: &Network, mut servers: Vec<SocketAddr>) -> Result<Option<Self>, Error> {
        let found = link::by_name(&Socket::route()?, &network.config.bridge)?;
        let Some((subnet, _)) = found.and_then(|link| parse_alias(&link.alias)) else { return Ok(None) };
        let gateway = subnet.gateway();
        let failed = |source: io::Error| Error::Resolver { address: gateway.into(), source };
        let server = match bind_shared(gateway) {
            Ok(server) => server,
            Err(Errno::ADDRINUSE | Errno::ADDRNOTAVAIL) => return Ok(None),
            Err(errno) => return Err(failed(errno.into())),
        };
        let poll = epoll::create(CreateFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        servers.retain(|server| server.ip() != IpAddr::V4(gateway));
        let any = |v6: bool| servers.iter().any(|server| server.is_ipv6() == v6);
        let upstream_v4 = any(false).then(|| open_upstream(Ipv4Addr::UNSPECIFIED.into())).flatten();
        let upstream_v6 = any(true).then(|| open_upstream(Ipv6Addr::UNSPECIFIED.into())).flatten();
        for socket in [Some(&server), upstream_v4.as_ref(), upstream_v6.as_ref()].into_iter().flatten() {
            epoll::add(&poll, socket, EventData::new_u64(0), EventFlags::IN).map_err(|errno| failed(errno.into()))?;
        }
        let names = Names::new(network.store.clone());
        let pending = PendingTable::default();
        Ok(Some(Self { poll, server, upstream_v4, upstream_v6, servers, current: 0, subnet, names, pending }))
    }

    /// Becomes readable when there is something to do.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }

    /// Does what there is to do, without waiting. Packets that make no sense are dropped.
    pub fn handle_ready(&mut self) {
        let mut buffer = [0; PACKET_LENGTH];
        for _ in 0..BURST {
            let Ok((length, client)) = self.server.recv_from(&mut buffer) else { break };
            self.handle_query(&buffer[..length], client);
        }
        for socket in [&self.upstream_v4, &self.upstream_v6].into_iter().flatten() {
            for _ in 0..BURST {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { break };
                let Some(pending) = self.pending.take(&buffer[..length], from) else { continue };
                buffer[..2].copy_from_slice(&pending.client_id.to_be_bytes());
                // A client that is gone loses nothing; so for all answers.
                let _ = self.server.send_to(&buffer[..length], pending.client);
            }
        }
    }

    fn handle_query(&mut self, packet: &[u8], client: SocketAddr) {
        // Other hosts can reach the bridge's address too; this is no public name server.
        let is_inside = matches!(client.ip(), IpAddr::V4(ip) if self.subnet.contains(ip));
        if !is_inside {
            return;
        }
        let reply = match parse_query(packet) {
            Ok(query) => match self.names.decide(&query, self.subnet) {
                Decision::Answer(code, record) => Some(answer(&query, code, record.as_ref())),
                Decision::Forward => self.forward(packet, &query, client).err().map(|code| answer(&query, code, None)),
            },
            Err(QueryError::Junk) => None,
            Err(QueryError::Malformed { id }) => Some(bare(id, Code::FormatError)),
            Err(QueryError::NotImplemented { id }) => Some(bare(id, Code::NotImplemented)),
        };
        if let Some(reply) = reply {
            let _ = self.server.send_to(&reply, client);
        }
    }

    /// Passes a question on to the host's name server under a number of our own, which an outsider cannot guess.
    fn forward(&mut self, packet: &[u8], query: &Query<'_>, client: SocketAddr) -> Result<(), Code> {
        let now = Instant::now();
        let mut server = *self.servers.get(self.current).ok_or(Code::ServerFailure)?;
        if self.pending.expire(now, server) {
            self.current = (self.current + 1) % self.servers.len();
            server = self.servers[self.current];
        }
        let upstream = if server.is_ipv6() { &self.upstream_v6 } else { &self.upstream_v4 };
        let upstream = upstream.as_ref().ok_or(Code::ServerFailure)?;
        let mut id = [0; 2];
        rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).map_err(|_| Code::ServerFailure)?;
        let question = query.question.to_vec();
        let pending = Pending { client, client_id: query.id, server, question, since: now };
        if !self.pending.insert(u16::from_be_bytes(id), pending) {
            return Err(Code::ServerFailure);
        }
        let mut passed_on = packet.to_vec();
        passed_on[..2].copy_from_slice(&id);
        upstream.send_to(&passed_on, server).map(|_| ()).map_err(|_| Code::ServerFailure)
    }
}

/// A socket that shares its port with those of the other supervisors.
fn bind_shared(gateway: Ipv4Addr) -> Result<UdpSocket, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &SocketAddr::new(gateway.into(), PORT))?;
    Ok(socket.into())
}

fn open_upstream(any: IpAddr) -> Option<UdpSocket> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}
