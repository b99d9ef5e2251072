//! socket(2), socketpair(2).

use alloc::sync::Arc;

use linux_abi::Errno;
use linux_abi::net::{af, sock};

use super::Result;
use crate::mem::write_value;
use crate::net::options::Options;
use crate::net::socket::{Kind, Socket};
use crate::net::unix::Unix;
use crate::syscall::Call;
use crate::task::current;
use crate::vfs::OpenFile;

const O_RDWR: u32 = 2;

/// Gives a socket a descriptor. `flags` are `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
pub(super) fn install(socket: Socket, flags: u32) -> Result {
    let open = OpenFile::new(Arc::new(socket), O_RDWR | flags & sock::NONBLOCK);
    current().process.files.insert(open, flags & sock::CLOEXEC != 0, 0).map(i64::from)
}

/// The type and its flags; `EINVAL` for flags that there are not.
fn split(kind: u32) -> Result<(u32, u32)> {
    let flags = kind & !sock::TYPE_MASK;
    match flags & !(sock::NONBLOCK | sock::CLOEXEC) {
        0 => Ok((kind & sock::TYPE_MASK, flags)),
        _ => Err(Errno::EINVAL),
    }
}

pub(super) fn socket(call: &mut Call<'_>) -> Result {
    let (kind, flags) = split(call.uint(1))?;
    let family = u16::try_from(call.uint(0)).map_err(|_| Errno::EAFNOSUPPORT)?;
    install(Socket::open(family, kind, call.uint(2))?, flags)
}

pub(super) fn socketpair(call: &mut Call<'_>) -> Result {
    let (kind, flags) = split(call.uint(1))?;
    match (call.uint(0), kind) {
        (1, sock::STREAM | sock::DGRAM | sock::SEQPACKET) if call.uint(2) <= 1 => {}
        (1, _) if call.uint(2) > 1 => return Err(Errno::EPROTONOSUPPORT),
        (1, _) => return Err(Errno::ESOCKTNOSUPPORT),
        (family, _) if family == u32::from(af::INET) || family == u32::from(af::INET6) => {
            return Err(Errno::EOPNOTSUPP);
        }
        _ => return Err(Errno::EAFNOSUPPORT),
    }
    let (first, second) = Unix::pair(kind);
    let descriptor = |unix| install(Socket::of(af::UNIX, Kind::Unix(unix), Options::default()), flags);
    let first = descriptor(first)? as i32;
    // What cannot be told to the application must not stay open.
    let close = |fd: i32| {
        let _ = current().process.files.close(fd);
    };
    let second = descriptor(second).inspect_err(|_| close(first))? as i32;
    write_value(call.addr(3), &[first, second]).inspect_err(|_| {
        close(first);
        close(second);
    })?;
    Ok(0)
}
