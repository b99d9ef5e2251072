//! bind(2), listen(2), accept(2), connect(2), getsockname(2), getpeername(2), shutdown(2).

use linux_abi::Errno;
use linux_abi::net::sock;

use super::{Handle, Result, address, open};
use crate::net::address::SockAddr;
use crate::syscall::Call;
use crate::task::current;

pub(super) fn bind(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    let to = address::read(call.addr(1), call.uint(2), socket.family)?;
    socket.bind(to, 0o777 & !current().process.fs.umask())?;
    Ok(0)
}

pub(super) fn listen(call: &mut Call<'_>) -> Result {
    Handle::get(call.int(0))?.socket()?.listen(call.int(1))?;
    Ok(0)
}

pub(super) fn accept(call: &mut Call<'_>) -> Result {
    accept_with(call, 0)
}

pub(super) fn accept4(call: &mut Call<'_>) -> Result {
    let flags = call.uint(3);
    match flags & !(sock::NONBLOCK | sock::CLOEXEC) {
        0 => accept_with(call, flags),
        _ => Err(Errno::EINVAL),
    }
}

fn accept_with(call: &Call<'_>, flags: u32) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    let timeout = socket.options.lock().receive_timeout;
    let (accepted, peer) = handle.wait(handle.nonblocking(), timeout, || socket.accept())?;
    let family = socket.family;
    let fd = open::install(accepted, flags)?;
    let written = address::write_counted(call.addr(1), call.addr(2), Some(&peer), family);
    if let Err(error) = written {
        let _ = current().process.files.close(fd as i32);
        return Err(error);
    }
    Ok(fd)
}

pub(super) fn connect(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    let to = address::read(call.addr(1), call.uint(2), socket.family)?;
    match connect_when_room(&handle, to) {
        // The second call of a blocking socket waits like the first.
        Err(Errno::EINPROGRESS | Errno::EALREADY) if !handle.nonblocking() => {}
        result => return result.map(|()| 0),
    }
    let timeout = socket.options.lock().send_timeout;
    match handle.wait(false, timeout, || socket.connected()) {
        Err(Errno::EAGAIN) => Err(Errno::EINPROGRESS),
        result => result.map(|()| 0),
    }
}

/// Begins to connect. A blocking AF_UNIX socket waits until the listener's queue has room (unix(7)); as that happens when
/// somebody else accepts, it looks now and then.
fn connect_when_room(handle: &Handle, to: SockAddr) -> Result<()> {
    const PAUSE: u64 = 1_000_000;
    let socket = handle.socket()?;
    loop {
        match socket.connect(to.clone()) {
            Err(Errno::EAGAIN) if !handle.nonblocking() => {}
            result => return result,
        }
        match handle.wait(false, PAUSE, || Err::<(), _>(Errno::EAGAIN)) {
            Err(Errno::EAGAIN) => {}
            interrupted => return interrupted,
        }
    }
}

pub(super) fn getsockname(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    address::write_counted(call.addr(1), call.addr(2), Some(&socket.local_address()), socket.family)?;
    Ok(0)
}

pub(super) fn getpeername(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    address::write_counted(call.addr(1), call.addr(2), Some(&socket.peer_address()?), socket.family)?;
    Ok(0)
}

pub(super) fn shutdown(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let (read, write) = match call.int(1) {
        0 => (true, false),
        1 => (false, true),
        2 => (true, true),
        _ => return Err(Errno::EINVAL),
    };
    handle.socket()?.shutdown(read, write)?;
    Ok(0)
}
