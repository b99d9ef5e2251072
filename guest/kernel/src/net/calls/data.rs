//! sendto(2), recvfrom(2), and what they share with the calls on messages.

use linux_abi::Errno;
use linux_abi::net::msg;

use super::{Handle, Result, address};
use crate::mem::{Sink, Source};
use crate::net::address::SockAddr;
use crate::net::pair::Ancillary;
use crate::net::socket::Received;
use crate::syscall::Call;

const SIGPIPE: u32 = 13;
/// The most bytes that one call moves (read(2), NOTES).
const MOST: usize = 0x7fff_f000;

/// Sends all of `from`, waiting unless it must not; a stream may take less if something happens after the first byte.
pub(super) fn send(
    handle: &Handle,
    from: &mut Source<'_>,
    to: Option<&SockAddr>,
    ancillary: Ancillary,
    flags: u32,
) -> Result<usize> {
    let socket = handle.socket()?;
    let nonblocking = handle.nonblocking() || flags & msg::DONTWAIT != 0;
    let timeout = if nonblocking { 0 } else { socket.options.lock().send_timeout };
    let borders = socket.keeps_borders();
    let mut ancillary = Some(ancillary);
    loop {
        let sent = handle.wait(nonblocking, timeout, || {
            // A failed attempt leaves what travels with the data for the next one.
            let travelling = ancillary.clone().unwrap_or_default();
            socket.send(from, to, travelling, flags)
        });
        ancillary = None;
        match sent {
            Ok(_) if borders || nonblocking || from.remaining() == 0 => return Ok(from.done()),
            Ok(_) => {}
            Err(_) if from.done() > 0 && !borders => return Ok(from.done()),
            Err(error) => {
                if error == Errno::EPIPE && flags & msg::NOSIGNAL == 0 && !borders {
                    crate::task::send_signal(SIGPIPE);
                }
                return Err(error);
            }
        }
    }
}

/// Receives into `to`. With `MSG_WAITALL` a stream fills it before it returns, unless it ends or something happens.
pub(super) fn receive(handle: &Handle, to: &mut Sink<'_>, flags: u32) -> Result<Received> {
    let socket = handle.socket()?;
    let nonblocking = handle.nonblocking() || flags & msg::DONTWAIT != 0;
    let timeout = if nonblocking { 0 } else { socket.options.lock().receive_timeout };
    let mut received = handle.wait(nonblocking, timeout, || socket.receive(to, flags))?;
    let all = flags & msg::WAITALL != 0 && flags & msg::PEEK == 0 && !nonblocking && !socket.keeps_borders();
    while all && to.remaining() > 0 && received.ancillary.files.is_empty() {
        match handle.wait(false, timeout, || socket.receive(to, flags)) {
            Ok(more) if more.count > 0 => {
                received.count += more.count;
                received.len += more.count;
            }
            _ => break,
        }
    }
    Ok(received)
}

pub(super) fn sendto(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let socket = handle.socket()?;
    let mut to = address::read_optional(call.addr(4), call.uint(5), socket.family)?;
    if !socket.keeps_borders() && to.is_some() && socket.peer_address().is_ok() && socket.family != 1 {
        // A connected stream ignores the address (send(2) gives EISCONN only "may").
        to = None;
    }
    let mut from = Source::user(call.addr(1), call.size(2).min(MOST));
    let ancillary = Ancillary { sender: socket.sender_to_note(), ..Ancillary::default() };
    send(&handle, &mut from, to.as_ref(), ancillary, call.uint(3)).map(|n| n as i64)
}

pub(super) fn recvfrom(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let flags = call.uint(3);
    let mut to = Sink::user(call.addr(1), call.size(2).min(MOST));
    let received = receive(&handle, &mut to, flags)?;
    address::write_counted(call.addr(4), call.addr(5), received.from.as_ref(), handle.socket()?.family)?;
    // With MSG_TRUNC the whole length of a message is told; a stream has none.
    let whole = flags & msg::TRUNC != 0 && handle.socket()?.keeps_borders();
    Ok(if whole { received.len } else { received.count } as i64)
}
