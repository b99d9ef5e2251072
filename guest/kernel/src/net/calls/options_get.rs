//! getsockopt(2).

use alloc::vec::Vec;

use linux_abi::Errno;
use linux_abi::net::{af, ip, ipproto, so, tcp};

use super::{Handle, Result};
use crate::mem::{read_value, write_slice, write_value};
use crate::net::socket::{Kind, Socket};
use crate::syscall::Call;

/// The part of `struct tcp_info` that is told (`include/uapi/linux/tcp.h`), in bytes.
const TCP_INFO: usize = 104;

pub(super) fn getsockopt(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    let room = usize::try_from(read_value::<i32>(call.addr(4))?).map_err(|_| Errno::EINVAL)?;
    let name = call.uint(2);
    let value = match (call.uint(1), &socket.kind) {
        (so::SOL_SOCKET, _) => general(socket, name)?,
        (ipproto::TCP, Kind::Tcp(_)) => of_tcp(socket, name)?,
        (ipproto::IP, Kind::Tcp(_) | Kind::Udp(_)) => of_ip(socket, name)?,
        (ipproto::IPV6, Kind::Tcp(_) | Kind::Udp(_)) if socket.family == af::INET6 => of_ipv6(socket, name)?,
        _ => return Err(Errno::EOPNOTSUPP),
    };
    let len = value.len().min(room);
    write_slice(call.addr(3), &value[..len])?;
    write_value(call.addr(4), &(len as u32))?;
    Ok(0)
}

fn int(value: u32) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

/// Nanoseconds as `struct timeval`.
fn time(nanos: u64) -> Vec<u8> {
    [nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000].map(u64::to_le_bytes).concat()
}

fn general(socket: &Socket, name: u32) -> Result<Vec<u8>> {
    let options = socket.options.lock().clone();
    let listening = match &socket.kind {
        Kind::Tcp(tcp) => tcp.is_listening(),
        Kind::Unix(unix) => unix.is_listening(),
        _ => false,
    };
    Ok(match name {
        so::TYPE => int(socket.socket_type()),
        so::ERROR => int(socket.endpoint().take_error().map_or(0, |e| e.number() as u32)),
        so::DOMAIN => int(u32::from(socket.family)),
        so::PROTOCOL => int(match socket.kind {
            Kind::Tcp(_) => ipproto::TCP,
            Kind::Udp(_) => ipproto::UDP,
            _ => 0,
        }),
        so::ACCEPTCONN => int(listening.into()),
        so::REUSEADDR => int(options.reuse_address.into()),
        so::REUSEPORT => int(options.reuse_port.into()),
        so::KEEPALIVE => int(options.keep_alive.into()),
        so::BROADCAST => int(options.broadcast.into()),
        so::PASSCRED => int(options.pass_credentials.into()),
        so::PRIORITY => int(options.priority),
        so::RCVBUF => int(options.receive_buffer),
        so::SNDBUF => int(options.send_buffer),
        so::RCVTIMEO => time(options.receive_timeout),
        so::SNDTIMEO => time(options.send_timeout),
        so::RCVLOWAT | so::SNDLOWAT => int(1),
        so::DEBUG | so::DONTROUTE | so::OOBINLINE | so::TIMESTAMP | so::MARK | so::BUSY_POLL | so::ZEROCOPY => int(0),
        so::LINGER => [u32::from(options.linger.is_some()), options.linger.unwrap_or(0)].map(u32::to_le_bytes).concat(),
        so::PEERCRED => {
            let sender = socket.peer_sender();
            [sender.pid, sender.uid, sender.gid].map(u32::to_le_bytes).concat()
        }
        _ => return Err(Errno::ENOPROTOOPT),
    })
}

fn of_tcp(socket: &Socket, name: u32) -> Result<Vec<u8>> {
    let options = socket.options.lock().clone();
    Ok(match name {
        tcp::NODELAY => int(options.no_delay.into()),
        tcp::CORK => int(options.cork.into()),
        tcp::MAXSEG => int(1460),
        tcp::KEEPIDLE => int(options.keep_idle),
        tcp::KEEPINTVL => int(options.keep_interval),
        tcp::KEEPCNT => int(options.keep_count),
        tcp::USER_TIMEOUT => int(options.user_timeout),
        tcp::DEFER_ACCEPT => int(options.defer_accept),
        tcp::SYNCNT => int(6),
        tcp::QUICKACK => int(1),
        tcp::CONGESTION => b"reno\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        tcp::INFO => info(socket),
        tcp::LINGER2 | tcp::WINDOW_CLAMP | tcp::NOTSENT_LOWAT | tcp::FASTOPEN => int(0),
        _ => return Err(Errno::ENOPROTOOPT),
    })
}

/// `struct tcp_info` with the state and the segment sizes; the rest is zero.
fn info(socket: &Socket) -> Vec<u8> {
    let mut info = alloc::vec![0u8; TCP_INFO];
    if let Kind::Tcp(tcp) = &socket.kind {
        info[0] = tcp.state();
        let unacked = tcp.queued().map_or(0, |(_, unsent)| unsent.div_ceil(1460) as u32);
        info[16..20].copy_from_slice(&1460u32.to_le_bytes());
        info[20..24].copy_from_slice(&1460u32.to_le_bytes());
        info[24..28].copy_from_slice(&unacked.to_le_bytes());
    }
    info
}

fn of_ip(socket: &Socket, name: u32) -> Result<Vec<u8>> {
    let options = socket.options.lock();
    Ok(match name {
        ip::TOS => int(options.tos.into()),
        ip::TTL => int(options.ttl.into()),
        ip::PKTINFO => int(options.packet_info.into()),
        ip::OPTIONS => Vec::new(),
        ip::MTU_DISCOVER | ip::MULTICAST_TTL => int(1),
        ip::RECVERR | ip::RECVTTL | ip::FREEBIND | ip::BIND_ADDRESS_NO_PORT => int(0),
        _ => return Err(Errno::ENOPROTOOPT),
    })
}

fn of_ipv6(socket: &Socket, name: u32) -> Result<Vec<u8>> {
    let options = socket.options.lock();
    Ok(match name {
        ip::V6_V6ONLY => int(options.v6only.into()),
        ip::V6_UNICAST_HOPS => int(options.ttl.into()),
        ip::V6_RECVPKTINFO | ip::V6_MTU_DISCOVER | ip::V6_RECVERR | ip::V6_TCLASS => int(0),
        _ => return Err(Errno::ENOPROTOOPT),
    })
}
