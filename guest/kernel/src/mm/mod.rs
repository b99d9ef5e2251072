//! The address space of a process: which ranges are mapped, how, and from what.

use crate::sync::{Mutex, mutex};

/// The address space.
pub(crate) struct Mm {
    inner: Mutex<()>,
}

impl Mm {
    /// An empty address space.
    pub(crate) fn new() -> Self {
        Self { inner: mutex(()) }
    }

    /// The text of /proc/self/maps.
    pub(crate) fn maps(&self) -> alloc::vec::Vec<u8> {
        let _inner = self.inner.lock();
        alloc::vec::Vec::new()
    }

    /// The bytes mapped with access, for /proc/self/status and the memory limit.
    pub(crate) fn mapped_bytes(&self) -> u64 {
        0
    }
}

/// The calls of memory.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];
