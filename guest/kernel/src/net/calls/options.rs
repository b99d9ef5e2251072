//! setsockopt(2).

use linux_abi::Errno;
use linux_abi::net::{ip, ipproto, so, tcp};
use platform::UserAddr;

use super::{Handle, Result};
use crate::mem::read_value;
use crate::net::options::Options;
use crate::net::socket::{Kind, Socket};
use crate::syscall::Call;

/// The largest buffer that may be asked for (`net.core.wmem_max`).
const BUFFER_MAX: u32 = 212_992;
/// The smallest buffer that is given (`SOCK_MIN_RCVBUF`).
const BUFFER_MIN: u32 = 2304;

/// The value as the application gave it.
struct Value {
    at: UserAddr,
    len: u32,
}

impl Value {
    /// An `int`; `EINVAL` if there are fewer bytes.
    fn int(&self) -> Result<i32> {
        if self.len < 4 { Err(Errno::EINVAL) } else { read_value(self.at) }
    }

    fn on(&self) -> Result<bool> {
        self.int().map(|value| value != 0)
    }

    /// An `int`, or a single byte, as the options of IP take them.
    fn byte(&self) -> Result<i32> {
        match self.len {
            0 => Err(Errno::EINVAL),
            1..4 => read_value::<u8>(self.at).map(i32::from),
            _ => self.int(),
        }
    }

    fn positive(&self, limit: i32) -> Result<u32> {
        let value = self.int()?;
        if (1..=limit).contains(&value) { Ok(value as u32) } else { Err(Errno::EINVAL) }
    }

    /// `struct timeval` in nanoseconds; `EDOM` if it is none.
    fn time(&self) -> Result<u64> {
        if self.len < 16 {
            return Err(Errno::EINVAL);
        }
        let [seconds, micros]: [i64; 2] = read_value(self.at)?;
        match (seconds, micros) {
            (..0, _) => Ok(0),
            (_, 0..1_000_000) => {
                Ok((seconds as u64).saturating_mul(1_000_000_000).saturating_add(micros as u64 * 1000))
            }
            _ => Err(Errno::EDOM),
        }
    }

    fn buffer(&self) -> Result<u32> {
        Ok((self.int()?.clamp(0, BUFFER_MAX as i32) as u32 * 2).max(BUFFER_MIN))
    }
}

pub(super) fn setsockopt(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    let value = Value { at: call.addr(3), len: call.uint(4) };
    let (level, name) = (call.uint(1), call.uint(2));
    match (level, &socket.kind) {
        (so::SOL_SOCKET, _) => general(socket, name, &value)?,
        (ipproto::TCP, Kind::Tcp(_)) => of_tcp(socket, name, &value)?,
        (ipproto::IP, Kind::Tcp(_) | Kind::Udp(_)) => of_ip(&mut socket.options.lock(), name, &value)?,
        (ipproto::IPV6, Kind::Tcp(_) | Kind::Udp(_)) if socket.family == linux_abi::net::af::INET6 => {
            of_ipv6(&mut socket.options.lock(), name, &value)?;
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }
    if let Kind::Tcp(tcp) = &socket.kind {
        tcp.apply(&socket.options.lock());
    }
    Ok(0)
}

fn general(socket: &Socket, name: u32, value: &Value) -> Result<()> {
    let mut options = socket.options.lock();
    match name {
        so::REUSEADDR => options.reuse_address = value.on()?,
        so::REUSEPORT => options.reuse_port = value.on()?,
        so::KEEPALIVE => options.keep_alive = value.on()?,
        so::BROADCAST => options.broadcast = value.on()?,
        so::PASSCRED => options.pass_credentials = value.on()?,
        so::PRIORITY => options.priority = value.int()? as u32,
        so::RCVTIMEO => options.receive_timeout = value.time()?,
        so::SNDTIMEO => options.send_timeout = value.time()?,
        so::RCVBUF | so::RCVBUFFORCE => options.receive_buffer = value.buffer()?,
        so::SNDBUF | so::SNDBUFFORCE => options.send_buffer = value.buffer()?,
        so::LINGER => {
            if value.len < 8 {
                return Err(Errno::EINVAL);
            }
            let [on, seconds]: [i32; 2] = read_value(value.at)?;
            options.linger = (on != 0).then_some(seconds.max(0) as u32);
        }
        // Without effect on anything that can be seen from here.
        so::DEBUG | so::DONTROUTE | so::OOBINLINE | so::RCVLOWAT | so::BUSY_POLL | so::INCOMING_CPU => {
            value.int()?;
        }
        so::TYPE | so::ERROR | so::ACCEPTCONN | so::PROTOCOL | so::DOMAIN | so::PEERCRED => {
            return Err(Errno::ENOPROTOOPT);
        }
        so::MARK => return Err(Errno::EPERM),
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

fn of_tcp(socket: &Socket, name: u32, value: &Value) -> Result<()> {
    let mut options = socket.options.lock();
    match name {
        tcp::NODELAY => options.no_delay = value.on()?,
        tcp::CORK => {
            options.cork = value.on()?;
            let flush = !options.cork;
            drop(options);
            if let (Kind::Tcp(tcp), true) = (&socket.kind, flush) {
                tcp.uncork();
            }
        }
        tcp::KEEPIDLE => options.keep_idle = value.positive(32767)?,
        tcp::KEEPINTVL => options.keep_interval = value.positive(32767)?,
        tcp::KEEPCNT => options.keep_count = value.positive(127)?,
        tcp::USER_TIMEOUT => options.user_timeout = u32::try_from(value.int()?).map_err(|_| Errno::EINVAL)?,
        tcp::DEFER_ACCEPT => options.defer_accept = value.int()?.max(0) as u32,
        tcp::MAXSEG | tcp::SYNCNT | tcp::LINGER2 | tcp::WINDOW_CLAMP | tcp::QUICKACK | tcp::NOTSENT_LOWAT => {
            value.int()?;
        }
        tcp::CONGESTION => {}
        tcp::FASTOPEN => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

fn of_ip(options: &mut Options, name: u32, value: &Value) -> Result<()> {
    match name {
        ip::TOS => options.tos = value.byte()? as u8,
        ip::TTL => {
            options.ttl = match value.byte()? {
                -1 => 64,
                ttl @ 1..=255 => ttl as u8,
                _ => return Err(Errno::EINVAL),
            }
        }
        ip::PKTINFO => options.packet_info = value.byte()? != 0,
        ip::MTU_DISCOVER | ip::RECVERR | ip::RECVTTL | ip::BIND_ADDRESS_NO_PORT | ip::MULTICAST_TTL => {
            value.byte()?;
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

fn of_ipv6(options: &mut Options, name: u32, value: &Value) -> Result<()> {
    match name {
        ip::V6_V6ONLY => options.v6only = value.on()?,
        ip::V6_UNICAST_HOPS => options.ttl = value.int().map(|hops| if hops < 0 { 64 } else { hops as u8 })?,
        ip::V6_RECVPKTINFO | ip::V6_MTU_DISCOVER | ip::V6_RECVERR | ip::V6_TCLASS | ip::V6_MULTICAST_HOPS => {
            value.int()?;
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}
