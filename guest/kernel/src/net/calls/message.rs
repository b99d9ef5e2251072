//! sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2), and the control messages of cmsg(3).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use linux_abi::Errno;
use linux_abi::net::{ip, ipproto, msg, so};
use platform::UserAddr;

use super::data::{receive, send};
use super::{Handle, Result, address};
use crate::machine::machine;
use crate::mem::{Sink, Source, read_value, write_slice, write_value};
use crate::net::pair::{Ancillary, Sender};
use crate::net::socket::Received;
use crate::syscall::Call;
use crate::task::current;
use crate::vfs::OpenFile;

/// The most pieces of one call (`UIO_MAXIOV`), and messages of sendmmsg(2).
const IOV_MAX: u64 = 1024;
/// The most descriptors of one message (`SCM_MAX_FD`).
const MAX_FDS: usize = 253;
/// The most bytes of control messages that are read.
const MAX_CONTROL: u64 = 20_480;
const SCM_RIGHTS: u32 = 1;
const SCM_CREDENTIALS: u32 = 2;
/// `sizeof(struct cmsghdr)`.
const CMSGHDR: usize = 16;
/// `sizeof(struct mmsghdr)`, and where its `msg_len` is.
const MMSGHDR: u64 = 64;
const MSG_LEN: u64 = 56;

/// `struct msghdr` (socket.h), read once.
struct Header {
    at: UserAddr,
    name: UserAddr,
    name_len: u32,
    pieces: Vec<(UserAddr, usize)>,
    control: UserAddr,
    control_len: u64,
}

impl Header {
    fn read(at: UserAddr) -> Result<Self> {
        let [name, name_len, iov, iovlen, control, control_len, _]: [u64; 7] = read_value(at)?;
        if iovlen > IOV_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let mut total = 0u64;
        let mut pieces = Vec::with_capacity(iovlen as usize);
        for n in 0..iovlen {
            let [base, len]: [u64; 2] = read_value(UserAddr(iov).add(n * 16))?;
            total = total.checked_add(len).filter(|t| *t <= i64::MAX as u64).ok_or(Errno::EINVAL)?;
            pieces.push((UserAddr(base), len as usize));
        }
        let name_len = name_len as u32;
        Ok(Self { at, name: UserAddr(name), name_len, pieces, control: UserAddr(control), control_len })
    }

    /// Writes back what recvmsg(2) found: the lengths, and the flags.
    fn finish(&self, name_len: u32, control_len: usize, flags: u32) -> Result<()> {
        if !self.name.is_null() {
            write_value(self.at.add(8), &name_len)?;
        }
        write_value(self.at.add(40), &(control_len as u64))?;
        write_value(self.at.add(48), &flags)
    }
}

pub(super) fn sendmsg(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    send_one(&handle, call.addr(1), call.uint(2)).map(|n| n as i64)
}

pub(super) fn recvmsg(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    receive_one(&handle, call.addr(1), call.uint(2)).map(|n| n as i64)
}

pub(super) fn sendmmsg(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    many(call, |at| send_one(&handle, at, call.uint(3)))
}

pub(super) fn recvmmsg(call: &mut Call<'_>) -> Result {
    let handle = Handle::get(call.int(0))?;
    let deadline = crate::time::deadline_from_user(call.addr(4))?;
    let flags = call.uint(3);
    let mut first = true;
    many(call, |at| {
        let late = deadline.is_some_and(|deadline| crate::time::monotonic() >= deadline);
        if !first && late {
            return Err(Errno::EAGAIN);
        }
        let wait_no_more = !first && flags & msg::WAITFORONE != 0;
        first = false;
        receive_one(&handle, at, flags | if wait_no_more { msg::DONTWAIT } else { 0 })
    })
}

/// One message after the other, until one fails; the failure counts only if it was the first.
fn many(call: &Call<'_>, mut one: impl FnMut(UserAddr) -> Result<usize>) -> Result {
    let count = u64::from(call.uint(2)).min(IOV_MAX);
    for n in 0..count {
        let at = call.addr(1).add(n * MMSGHDR);
        match one(at) {
            Ok(len) => write_value(at.add(MSG_LEN), &(len as u32))?,
            Err(e) if n == 0 => return Err(e),
            Err(_) => return Ok(n as i64),
        }
    }
    Ok(count as i64)
}

fn send_one(handle: &Handle, at: UserAddr, flags: u32) -> Result<usize> {
    let header = Header::read(at)?;
    let socket = handle.socket()?;
    let to = address::read_optional(header.name, header.name_len, socket.family)?;
    let mut ancillary = read_control(&header)?;
    ancillary.sender = ancillary.sender.or_else(|| socket.sender_to_note());
    let mut from = Source::user_pieces(header.pieces);
    let to = if socket.keeps_borders() || socket.peer_address().is_err() { to } else { None };
    send(handle, &mut from, to.as_ref(), ancillary, flags)
}

fn receive_one(handle: &Handle, at: UserAddr, flags: u32) -> Result<usize> {
    let mut header = Header::read(at)?;
    let socket = handle.socket()?;
    let mut to = Sink::user_pieces(core::mem::take(&mut header.pieces));
    let received = receive(handle, &mut to, flags)?;
    let name_room = header.name_len as usize;
    let name_len = match header.name.is_null() {
        true => 0,
        false => address::write(header.name, name_room, received.from.as_ref(), socket.family)?,
    };
    let (pass_credentials, packet_info) = {
        let options = socket.options.lock();
        (options.pass_credentials, options.packet_info)
    };
    let mut out_flags = flags & msg::CMSG_CLOEXEC;
    if received.len > received.count {
        out_flags |= msg::TRUNC;
    }
    let mut control = Control { at: header.control, room: header.control_len as usize, used: 0, truncated: false };
    if pass_credentials {
        control.credentials(received.ancillary.sender.unwrap_or_default())?;
    }
    if let (true, Some(IpAddr::V4(to))) = (packet_info, received.to) {
        control.put(ipproto::IP, ip::PKTINFO, &[&2u32.to_le_bytes()[..], &to.octets(), &to.octets()].concat())?;
    }
    control.rights(&received.ancillary.files, flags & msg::CMSG_CLOEXEC != 0)?;
    if control.truncated {
        out_flags |= msg::CTRUNC;
    }
    header.finish(name_len, control.used, out_flags)?;
    Ok(result(&received, flags, handle))
}

fn result(received: &Received, flags: u32, handle: &Handle) -> usize {
    let borders = handle.socket().is_ok_and(|socket| socket.keeps_borders());
    if flags & msg::TRUNC != 0 && borders { received.len } else { received.count }
}

/// The control messages of a sender.
fn read_control(header: &Header) -> Result<Ancillary> {
    let mut ancillary = Ancillary::default();
    if header.control.is_null() || header.control_len == 0 {
        return Ok(ancillary);
    }
    if header.control_len > MAX_CONTROL {
        return Err(Errno::ENOBUFS);
    }
    let mut bytes = alloc::vec![0u8; header.control_len as usize];
    machine().copy_from_user(header.control, &mut bytes)?;
    for (level, kind, data) in Messages(&bytes) {
        match (level, kind) {
            (so::SOL_SOCKET, SCM_RIGHTS) => ancillary.files.extend(passed(data)?),
            (so::SOL_SOCKET, SCM_CREDENTIALS) => ancillary.sender = Some(claimed(data)?),
            (so::SOL_SOCKET, _) => return Err(Errno::EINVAL),
            // Other levels concern protocols that need no help to send.
            _ => {}
        }
    }
    Ok(ancillary)
}

/// The control messages in a buffer; ends at the first malformed one.
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (u32, u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::try_from(u64::from_le_bytes(self.0.get(..8)?.try_into().ok()?)).ok()?;
        let level = u32::from_le_bytes(self.0.get(8..12)?.try_into().ok()?);
        let kind = u32::from_le_bytes(self.0.get(12..16)?.try_into().ok()?);
        let data = self.0.get(CMSGHDR..len)?;
        self.0 = self.0.get(len.checked_next_multiple_of(8)?..).unwrap_or_default();
        Some((level, kind, data))
    }
}

fn passed(data: &[u8]) -> Result<Vec<Arc<OpenFile>>> {
    let fds = data.chunks_exact(4).map(|fd| i32::from_le_bytes([fd[0], fd[1], fd[2], fd[3]]));
    if fds.len() > MAX_FDS {
        return Err(Errno::EINVAL);
    }
    let process = &current().process;
    fds.map(|fd| process.files.get(fd)).collect()
}

/// The credentials that a sender claims: its own, unless it is root.
fn claimed(data: &[u8]) -> Result<Sender> {
    let word = |n: usize| data.get(n * 4..n * 4 + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let (Some(pid), Some(uid), Some(gid)) = (word(0), word(1), word(2)) else { return Err(Errno::EINVAL) };
    let process = &current().process;
    let creds = process.creds.lock();
    let own_uid = [creds.ruid, creds.euid, creds.suid].contains(&uid);
    let own_gid = [creds.rgid, creds.egid, creds.sgid].contains(&gid);
    match creds.euid == 0 || (pid == process.pid && own_uid && own_gid) {
        true => Ok(Sender { pid, uid, gid }),
        false => Err(Errno::EPERM),
    }
}

/// The control messages of a receiver, being written.
struct Control {
    at: UserAddr,
    room: usize,
    used: usize,
    truncated: bool,
}

impl Control {
    /// How many bytes of data fit into a message now.
    fn space(&self) -> usize {
        if self.at.is_null() { 0 } else { self.room.saturating_sub(self.used + CMSGHDR) }
    }

    fn put(&mut self, level: u32, kind: u32, data: &[u8]) -> Result<()> {
        if self.space() < data.len() {
            self.truncated = true;
            return Ok(());
        }
        let mut header = [0u8; CMSGHDR];
        header[..8].copy_from_slice(&((CMSGHDR + data.len()) as u64).to_le_bytes());
        header[8..12].copy_from_slice(&level.to_le_bytes());
        header[12..].copy_from_slice(&kind.to_le_bytes());
        let at = self.at.add(self.used as u64);
        write_slice(at, &header)?;
        write_slice(at.add(CMSGHDR as u64), data)?;
        self.used = (self.used + (CMSGHDR + data.len()).next_multiple_of(8)).min(self.room);
        Ok(())
    }

    fn credentials(&mut self, sender: Sender) -> Result<()> {
        let data = [sender.pid, sender.uid, sender.gid].map(u32::to_le_bytes).concat();
        self.put(so::SOL_SOCKET, SCM_CREDENTIALS, &data)
    }

    /// Gives the receiver descriptors of the files; those that do not fit are closed.
    fn rights(&mut self, files: &[Arc<OpenFile>], close_on_exec: bool) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let fitting = files.len().min(self.space() / 4);
        self.truncated |= fitting < files.len();
        if fitting == 0 {
            return Ok(());
        }
        let mut data = Vec::with_capacity(fitting * 4);
        for file in &files[..fitting] {
            match current().process.files.insert(file.clone(), close_on_exec, 0) {
                Ok(fd) => data.extend(fd.to_le_bytes()),
                Err(_) => {
                    self.truncated = true;
                    break;
                }
            }
        }
        self.put(so::SOL_SOCKET, SCM_RIGHTS, &data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_end_at_the_first_that_lies() {
        let mut bytes = Vec::new();
        bytes.extend(20u64.to_le_bytes());
        bytes.extend([1, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(u64::MAX.to_le_bytes());
        bytes.extend([0; 16]);
        let found: Vec<_> = Messages(&bytes).collect();
        assert_eq!(found, [(1, 1, &[5u8, 0, 0, 0][..])]);
        assert_eq!(Messages(&bytes[..18]).count(), 0);
        assert_eq!(Messages(&[3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]).count(), 0);
    }
}
