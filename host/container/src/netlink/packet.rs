//! Messages of netlink(7): built with attributes whose length is checked, and read without trusting theirs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
pub(super) const NLM_F_ACK: u16 = 4;
pub(super) const NLM_F_DUMP: u16 = 0x300;
pub(super) const NLM_F_CREATE: u16 = 0x400;
pub(super) const NLM_F_REPLACE: u16 = 0x100;
/// `struct nlmsghdr`
const HEADER: usize = 16;
/// `struct nlattr`
const ATTRIBUTE: usize = 4;
/// The kernel's dumps come in pieces of at most this size.
const LARGEST: usize = 32 * 1024;

/// A request while it is built.
#[derive(Debug)]
pub(super) struct Request(Vec<u8>);

impl Request {
    /// `body` is the family's own header, for example `struct ifinfomsg`.
    pub(super) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend(body);
        Self(bytes)
    }

    /// Adds an attribute; one that is longer than its length field can tell is refused.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> io::Result<Self> {
        let length = u16::try_from(ATTRIBUTE + value.len()).map_err(|_| Errno::MSGSIZE)?;
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        Ok(self)
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        let length = u32::try_from(self.0.len()).map_err(|_| Errno::MSGSIZE)?;
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        Ok(self.0)
    }
}

pub(super) fn socket() -> rustix::io::Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
}

/// Sends a request that is to be acknowledged.
pub(super) fn transact(socket: impl AsFd, request: Request) -> io::Result<()> {
    each_answer(socket, request, |_, _| {})
}

/// Sends a request and hands out the kind and the content of every answer until the last.
pub(super) fn each_answer(socket: impl AsFd, request: Request, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
    rustix::net::send(&socket, &request.finish()?, SendFlags::empty())?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        let mut rest = &buffer[..length];
        if rest.is_empty() {
            return Err(Errno::PROTO.into());
        }
        while let Some((kind, content, after)) = split(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return acknowledged(content),
                kind => each(kind, content),
            }
            rest = after;
        }
        if !rest.is_empty() {
            return Err(Errno::PROTO.into());
        }
    }
}

/// The first message: kind, content and what follows. Nothing if its length is not believable.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(0..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let content = bytes.get(HEADER..length)?;
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, content, after))
}

/// An acknowledgement is an error message with the number 0.
fn acknowledged(content: &[u8]) -> io::Result<()> {
    match content.first_chunk() {
        Some(number) => match i32::from_ne_bytes(*number) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno.wrapping_neg())),
        },
        None => Err(Errno::PROTO.into()),
    }
}

/// The attributes of a message, up to the first whose length is not believable.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(0..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(ATTRIBUTE..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_bounded() {
        assert!(Request::new(16, 0, &[]).attribute(3, &vec![0; 70_000]).is_err());
        let request = Request::new(16, NLM_F_ACK, &[0; 16]).attribute(3, b"eth0\0").unwrap().finish().unwrap();
        assert_eq!(request.len(), 16 + 16 + 12);
        let (kind, content, after) = split(&request).unwrap();
        assert_eq!((kind, after), (16, &[][..]));
        assert_eq!(attributes(&content[16..]).collect::<Vec<_>>(), [(3, &b"eth0\0"[..])]);
    }

    #[test]
    fn lengths_that_lie_end_the_message() {
        let lie = [0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(split(&lie).is_none());
        assert!(split(&[0; 16]).is_none());
        assert_eq!(attributes(&[200, 0, 3, 0, 1]).count(), 0);
        assert_eq!(attributes(&[0, 0, 3, 0]).count(), 0);
        assert_eq!(acknowledged(&(-libc::EPERM).to_ne_bytes()).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(acknowledged(&[0, 0]).is_err());
    }
}
