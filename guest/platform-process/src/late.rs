//! A value that is set once, at boot, before the second thread exists.
#![allow(unsafe_code)] // no lock may be taken to read it: it is read on every entry into the kernel

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

/// See the module.
pub(crate) struct Late<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: it is written only by `set`, whose caller promises that nobody reads meanwhile.
unsafe impl<T: Sync> Sync for Late<T> {}

impl<T> Late<T> {
    /// Without a value.
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Sets the value.
    ///
    /// # Safety
    /// Called once, before the first `get`, while there is one thread.
    pub(crate) unsafe fn set(&self, value: T) {
        // SAFETY: by the contract nobody else looks at the cell.
        unsafe { (*self.0.get()).write(value) };
    }

    /// The value.
    ///
    /// # Safety
    /// `set` was called.
    #[inline]
    pub(crate) unsafe fn get(&self) -> &T {
        // SAFETY: by the contract it is initialised, and never written again.
        unsafe { (*self.0.get()).assume_init_ref() }
    }
}
