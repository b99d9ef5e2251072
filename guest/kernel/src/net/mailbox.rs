//! Messages with borders inside the instance: what waits for an AF_UNIX datagram or sequenced-packet socket.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use linux_abi::Errno;

use crate::mem::Sink;
use crate::net::address::UnixName;
use crate::net::pair::Ancillary;

/// How many bytes wait at most (`net.core.wmem_default`).
const LIMIT: usize = 212_992;
/// How many messages wait at most (`net.unix.max_dgram_qlen` is smaller, but only counts datagrams).
const COUNT: usize = 512;

/// A message.
#[derive(Clone)]
pub(crate) struct Message {
    /// The data.
    pub(crate) data: Vec<u8>,
    /// The sender's name.
    pub(crate) from: UnixName,
    /// What travels with it.
    pub(crate) ancillary: Ancillary,
}

/// What one socket has received.
#[derive(Default)]
pub(crate) struct Mailbox {
    queue: VecDeque<Message>,
    bytes: usize,
    /// No more messages will come.
    pub(crate) ended: bool,
    /// Nobody will read: senders are refused.
    pub(crate) unread: bool,
}

/// What a read gave.
pub(crate) struct Taken {
    /// Bytes that were given out.
    pub(crate) count: usize,
    /// The length of the message.
    pub(crate) len: usize,
    /// The sender's name.
    pub(crate) from: UnixName,
    /// What travelled with it.
    pub(crate) ancillary: Ancillary,
}

impl Mailbox {
    /// Whether another message finds room.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes < LIMIT && self.queue.len() < COUNT
    }

    /// Whether a message waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The length of the next message.
    pub(crate) fn next_len(&self) -> usize {
        self.queue.front().map_or(0, |message| message.data.len())
    }

    /// Puts a message in. `EAGAIN` if it is full, `ECONNREFUSED` if nobody will read it, `EMSGSIZE` if it never fits.
    pub(crate) fn put(&mut self, message: Message) -> Result<(), Errno> {
        if self.unread {
            return Err(Errno::ECONNREFUSED);
        }
        if message.data.len() > LIMIT {
            return Err(Errno::EMSGSIZE);
        }
        if !self.has_room() {
            return Err(Errno::EAGAIN);
        }
        self.bytes += message.data.len();
        self.queue.push_back(message);
        Ok(())
    }

    /// Reads the next message; `EAGAIN` if there is none.
    pub(crate) fn read(&mut self, to: &mut Sink<'_>, peek: bool) -> Result<Taken, Errno> {
        let message = if peek { self.queue.front().cloned() } else { self.queue.pop_front() };
        let message = message.ok_or(Errno::EAGAIN)?;
        if !peek {
            self.bytes -= message.data.len();
        }
        let count = to.put(&message.data)?;
        Ok(Taken { count, len: message.data.len(), from: message.from, ancillary: message.ancillary })
    }

    /// Empties it, giving away what was in it to be dropped without a lock held.
    pub(crate) fn clear(&mut self) -> VecDeque<Message> {
        self.bytes = 0;
        core::mem::take(&mut self.queue)
    }
}
