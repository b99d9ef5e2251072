//! When which connection wants to be looked at.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use platform::Deadline;

/// A heap of deadlines. Entries are not removed when a connection's deadline moves further away: the connection looks at
/// its own state when the old one fires, and asks again.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Deadline, u32)>>,
}

impl Timers {
    /// Adds a deadline of a connection.
    pub(crate) fn push(&mut self, at: Deadline, slot: u32) {
        self.heap.push(Reverse((at, slot)));
    }

    /// A deadline that has passed, and whose it was.
    pub(crate) fn expired(&mut self, now: Deadline) -> Option<(Deadline, u32)> {
        let Reverse(entry) = *self.heap.peek()?;
        if entry.0 > now {
            return None;
        }
        self.heap.pop();
        Some(entry)
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<Deadline> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}
