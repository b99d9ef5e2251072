//! The mark that a signal left on the current thread.
#![allow(unsafe_code)] // the mark lies in the thread's block

use core::sync::atomic::Ordering;

use crate::block::{self, ThreadBlock};

/// Takes the mark away: whoever is told of the interruption has to look for signals.
pub(crate) fn clear() {
    // SAFETY: GS points to the thread's block in the kernel.
    unsafe { (*block::current()).pending.store(0, Ordering::Relaxed) };
}

/// Sets the mark of a thread.
///
/// # Safety
/// `block` is a thread's block.
pub(crate) unsafe fn mark(block: *mut ThreadBlock) {
    // SAFETY: by the contract.
    unsafe { (*block).pending.store(1, Ordering::Relaxed) };
}
