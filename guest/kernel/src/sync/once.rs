//! A value that is set once, at boot, and read without a lock ever after.
#![allow(unsafe_code)] // core has no `OnceLock`, and a lock on the machine itself cannot wait through the machine.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A cell that is written once.
pub(crate) struct Once<T> {
    claimed: AtomicBool,
    ready: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written by the one thread that wins `claimed`, before `ready` is released, and only shared after.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    /// An unset cell.
    pub(crate) const fn new() -> Self {
        Self { claimed: AtomicBool::new(false), ready: AtomicBool::new(false), value: UnsafeCell::new(None) }
    }

    /// Sets the value; a second call changes nothing.
    pub(crate) fn set(&self, value: T) {
        if !self.claimed.swap(true, Ordering::AcqRel) {
            // SAFETY: `claimed` went from false to true here, so no other thread writes; none reads before `ready`.
            unsafe { *self.value.get() = Some(value) };
            self.ready.store(true, Ordering::Release);
        }
    }

    /// The value, if it is set.
    #[inline]
    pub(crate) fn try_get(&self) -> Option<&T> {
        if !self.ready.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: `ready` was released after the only write.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value. Panics if it is not set: a mistake in the order of the boot, not of anybody's input.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        match self.try_get() {
            Some(value) => value,
            None => panic!("used before the kernel was booted"),
        }
    }
}
