//! The thread that runs this code.
#![allow(unsafe_code)] // The machine keeps the thread's address as an untyped word; a lookup would cost every call a lock.

use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ops::Deref;

use crate::machine::machine;
use crate::task::Thread;

/// The current thread. It cannot be given to another thread, so it never outlives the thread that it is.
pub(crate) struct Current {
    thread: *const Thread,
    not_send: PhantomData<*const ()>,
}

impl Deref for Current {
    type Target = Thread;

    #[inline]
    fn deref(&self) -> &Thread {
        // SAFETY: the token is the address of an `Arc<Thread>` that `adopt` turned into a raw pointer; only the thread itself
        // gives that reference up, with `abandon`, after which it does not come back to code that could hold a `Current`.
        unsafe { &*self.thread }
    }
}

impl Current {
    /// A counted reference.
    pub(crate) fn arc(&self) -> Arc<Thread> {
        // SAFETY: the pointer came from `Arc::into_raw` and that reference is still alive (see `deref`); it is counted
        // once more before the new `Arc` is made.
        unsafe {
            Arc::increment_strong_count(self.thread);
            Arc::from_raw(self.thread)
        }
    }
}

/// The current thread.
///
/// Panics before the first thread has an identity: a mistake in the order of the boot.
#[inline]
pub(crate) fn current() -> Current {
    match try_current() {
        Some(current) => current,
        None => panic!("no current thread"),
    }
}

/// The current thread, if it has an identity yet.
#[inline]
pub(crate) fn try_current() -> Option<Current> {
    let token = machine().current();
    (token != 0).then_some(Current { thread: token as *const Thread, not_send: PhantomData })
}

/// Turns a reference into the token of the thread.
pub(crate) fn adopt(thread: Arc<Thread>) -> usize {
    Arc::into_raw(thread) as usize
}

/// Gives up the reference that a token stands for: when the thread ends or never started.
pub(crate) fn abandon(thread: &Arc<Thread>) {
    // SAFETY: called once for a token made by `adopt`, which holds one count; `thread` itself holds another.
    unsafe { Arc::decrement_strong_count(Arc::as_ptr(thread)) };
}
