//! A byte queue that grows as it is used, up to a limit.

use alloc::vec::Vec;

use linux_abi::Errno;

use crate::mem::{Sink, Source};

const FIRST: usize = 4096;

/// The queue.
pub(crate) struct Ring {
    buffer: Vec<u8>,
    head: usize,
    len: usize,
    limit: usize,
}

impl Ring {
    /// An empty queue that holds up to `limit` bytes, a power of two.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), head: 0, len: 0, limit }
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that still fit.
    pub(crate) fn free(&self) -> usize {
        self.limit - self.len
    }

    /// How much it holds at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Changes the limit; `EBUSY` if more than that is in it.
    pub(crate) fn set_limit(&mut self, limit: usize) -> Result<(), Errno> {
        if limit < self.len {
            return Err(Errno::EBUSY);
        }
        self.limit = limit;
        if self.buffer.len() > limit {
            self.resize(limit)?;
        }
        Ok(())
    }

    fn resize(&mut self, size: usize) -> Result<(), Errno> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        let (first, second) = self.slices();
        buffer.extend_from_slice(first);
        buffer.extend_from_slice(second);
        buffer.resize(size, 0);
        self.buffer = buffer;
        self.head = 0;
        Ok(())
    }

    /// What is in it, in order.
    fn slices(&self) -> (&[u8], &[u8]) {
        let first = self.len.min(self.buffer.len() - self.head);
        (&self.buffer[self.head..self.head + first], &self.buffer[..self.len - first])
    }

    /// Takes up to `max` bytes (no more than are free) from a source.
    pub(crate) fn fill(&mut self, from: &mut Source<'_>, max: usize) -> Result<usize, Errno> {
        let want = max.min(self.free()).min(from.remaining());
        if self.len + want > self.buffer.len() {
            self.resize((self.len + want).next_power_of_two().max(FIRST).min(self.limit))?;
        }
        let mut done = 0;
        while done < want {
            let capacity = self.buffer.len();
            let tail = (self.head + self.len) % capacity;
            let n = (want - done).min(capacity - tail);
            let taken = match from.take(&mut self.buffer[tail..tail + n]) {
                Ok(taken) => taken,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            self.len += taken;
            done += taken;
            if taken < n {
                break;
            }
        }
        Ok(done)
    }

    /// Copies what is in it to a sink, as far as that takes it, and leaves it there.
    pub(crate) fn peek(&self, to: &mut Sink<'_>) -> Result<usize, Errno> {
        let (first, second) = self.slices();
        let mut done = to.put(first)?;
        if done == first.len() && !second.is_empty() && to.remaining() > 0 {
            done += to.put(second).or_else(|e| if done > 0 { Ok(0) } else { Err(e) })?;
        }
        Ok(done)
    }

    /// Removes bytes from the front.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.len);
        self.len -= count;
        self.head = if self.len == 0 { 0 } else { (self.head + count) % self.buffer.len() };
    }
}
