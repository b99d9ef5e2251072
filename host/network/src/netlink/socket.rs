use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::Batch;

/// Message types and flags of linux/netlink.h.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP: u16 = 0x300;
/// The kernel fills at most this much per datagram of a dump: it goes by the reader's buffer, up to 32 KiB.
const DUMP_LENGTH: usize = 32 * 1024;
/// An answer to a single request: one object, or an error that quotes the request.
const ANSWER_LENGTH: usize = 8 * 1024;

/// Why the kernel's network configuration could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No netlink socket.
    #[error("cannot open a netlink socket")]
    Open(#[source] Errno),
    /// The request could not be sent or its answer not be received.
    #[error("cannot talk to the kernel over netlink")]
    Transfer(#[source] Errno),
    /// The kernel refused.
    #[error("cannot {operation}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The kernel's reason.
        #[source]
        errno: Errno,
    },
    /// The answer is no netlink message.
    #[error("the kernel's netlink answer cannot be understood")]
    Malformed,
}

impl NetlinkError {
    /// The kernel's reason for refusing.
    pub(crate) fn refusal(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

/// One message that the kernel sent: its type, and everything behind its `struct nlmsghdr`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u16,
    pub(crate) payload: Vec<u8>,
}

/// A netlink socket of the calling thread's network namespace.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// For interfaces, addresses and routes: rtnetlink(7).
    pub(crate) fn route() -> Result<Self, NetlinkError> {
        // `NETLINK_ROUTE` is 0, which rustix calls no protocol.
        Self::open(None)
    }

    /// For netfilter.
    pub(crate) fn netfilter() -> Result<Self, NetlinkError> {
        Self::open(Some(netlink::NETFILTER))
    }

    fn open(protocol: Option<Protocol>) -> Result<Self, NetlinkError> {
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
            .map_err(NetlinkError::Open)?;
        Ok(Self { fd })
    }

    /// Sends all requests at once and waits for the confirmation of the one with the number `last`, or the first refusal.
    ///
    /// The kernel carries the requests out while they are being sent, so an answer that is not there afterwards never comes.
    pub(crate) fn execute(&self, batch: &Batch, last: u32) -> Result<(), NetlinkError> {
        self.send(batch)?;
        let mut buffer = [0; ANSWER_LENGTH];
        loop {
            for (sequence, message) in self.receive(&mut buffer)? {
                match (message.kind, errno_of(&message)) {
                    (NLMSG_ERROR, Some(0)) if sequence == last => return Ok(()),
                    (NLMSG_ERROR, Some(errno)) if errno != 0 => {
                        return Err(refusal(batch, sequence, errno));
                    }
                    (NLMSG_ERROR, None) => return Err(NetlinkError::Malformed),
                    _ => {}
                }
            }
        }
    }

    /// Sends one request that is answered by one message.
    pub(crate) fn get(&self, batch: &Batch) -> Result<Message, NetlinkError> {
        self.send(batch)?;
        let mut buffer = [0; ANSWER_LENGTH];
        let (sequence, message) = self.receive(&mut buffer)?.into_iter().next().ok_or(NetlinkError::Malformed)?;
        match (message.kind, errno_of(&message)) {
            (NLMSG_ERROR, Some(errno)) => Err(refusal(batch, sequence, errno)),
            _ => Ok(message),
        }
    }

    /// Asks for all objects of a kind.
    pub(crate) fn dump(
        &self,
        operation: &'static str,
        kind: u16,
        header: &[u8],
        attributes: impl FnOnce(&mut super::Nest<'_>),
    ) -> Result<Vec<Message>, NetlinkError> {
        let mut batch = Batch::new();
        batch.message(operation, kind, NLM_F_DUMP, header, attributes);
        self.send(&batch)?;
        let mut found = Vec::new();
        let mut buffer = vec![0; DUMP_LENGTH];
        loop {
            for (sequence, message) in self.receive(&mut buffer)? {
                match (message.kind, errno_of(&message)) {
                    (NLMSG_DONE, errno) if errno.unwrap_or(0) == 0 => return Ok(found),
                    (NLMSG_ERROR | NLMSG_DONE, errno) => {
                        return Err(refusal(&batch, sequence, errno.ok_or(NetlinkError::Malformed)?));
                    }
                    _ => found.push(message),
                }
            }
        }
    }

    fn send(&self, batch: &Batch) -> Result<(), NetlinkError> {
        let sent = send(&self.fd, batch.bytes(), SendFlags::empty()).map_err(NetlinkError::Transfer)?;
        if sent == batch.bytes().len() { Ok(()) } else { Err(NetlinkError::Transfer(Errno::MSGSIZE)) }
    }

    /// One datagram, which is already there or never comes.
    fn receive(&self, buffer: &mut [u8]) -> Result<Vec<(u32, Message)>, NetlinkError> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (_, length) = recv(&self.fd, &mut *buffer, flags).map_err(NetlinkError::Transfer)?;
        let received = buffer.get(..length).ok_or(NetlinkError::Transfer(Errno::MSGSIZE))?;
        messages(received).ok_or(NetlinkError::Malformed)
    }
}

fn refusal(batch: &Batch, sequence: u32, errno: i32) -> NetlinkError {
    let errno = Errno::from_raw_os_error(errno);
    NetlinkError::Refused { operation: batch.operation(sequence), errno }
}

/// The (positive) error number at the start of an `NLMSG_ERROR` or `NLMSG_DONE` message.
fn errno_of(message: &Message) -> Option<i32> {
    let (code, _) = message.payload.split_first_chunk::<4>()?;
    Some(i32::from_ne_bytes(*code).wrapping_neg())
}

/// Splits a datagram into messages with their sequence numbers.
fn messages(mut bytes: &[u8]) -> Option<Vec<(u32, Message)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (header, _) = bytes.split_first_chunk::<16>()?;
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        let payload = bytes.get(16..length)?.to_vec();
        found.push((sequence, Message { kind, payload }));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_datagrams_are_refused() {
        assert_eq!(messages(&[1; 15]), None);
        assert_eq!(messages(&[0; 16]), None, "a length of zero would loop forever");
        let mut long = [0; 16];
        long[0] = 17;
        assert_eq!(messages(&long), None);
    }

    #[test]
    fn the_loopback_interface_is_found() {
        let links = Socket::route().unwrap().dump("list interfaces", 18, &[0; 16], |_| ()).unwrap();
        assert!(links.iter().any(|link| super::super::find(&link.payload[16..], 3) == Some(b"lo\0")));
    }
}
