//! What a socket and the stack share: the stack finds the socket's waiters here, and leaves errors for it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use linux_abi::Errno;

use crate::wait::WaitQueue;

/// The shared part of a socket.
pub(crate) struct Endpoint {
    /// Who waits for the socket.
    pub(crate) queue: WaitQueue,
    /// The pending error of `SO_ERROR`, 0 for none.
    error: AtomicI32,
    /// The connection, listener or datagram slot in the stack, plus one; 0 for none.
    slot: AtomicU32,
}

impl Endpoint {
    /// The shared part of a new socket.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { queue: WaitQueue::new(), error: AtomicI32::new(0), slot: AtomicU32::new(0) })
    }

    /// Leaves an error for the next call, and for `SO_ERROR`.
    pub(crate) fn set_error(&self, error: Errno) {
        self.error.store(error.number(), Ordering::Release);
    }

    /// The pending error; it is told once.
    pub(crate) fn take_error(&self) -> Option<Errno> {
        if self.error.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Errno::from_return(-i64::from(self.error.swap(0, Ordering::AcqRel))).filter(|e| e.number() != 0)
    }

    /// Whether an error is pending.
    pub(crate) fn has_error(&self) -> bool {
        self.error.load(Ordering::Acquire) != 0
    }

    /// The slot in the stack.
    #[inline]
    pub(crate) fn slot(&self) -> Option<u32> {
        self.slot.load(Ordering::Acquire).checked_sub(1)
    }

    /// Sets the slot in the stack.
    pub(crate) fn set_slot(&self, slot: Option<u32>) {
        self.slot.store(slot.map_or(0, |s| s + 1), Ordering::Release);
    }
}

/// The sockets whose state changed in a step. They are told when the stack's lock is free again, so that a waiter may look
/// at the socket at once.
#[derive(Default)]
pub(crate) struct Wakes(Vec<Arc<Endpoint>>);

impl Wakes {
    /// Adds a socket.
    pub(crate) fn push(&mut self, endpoint: &Arc<Endpoint>) {
        self.0.push(endpoint.clone());
    }

    /// Tells all of them, and forgets them.
    pub(crate) fn notify(&mut self) {
        for endpoint in self.0.drain(..) {
            endpoint.queue.wake_all();
        }
    }

    /// Whether it keeps memory that can be used again.
    pub(crate) fn has_capacity(&self) -> bool {
        self.0.capacity() > 0
    }
}
