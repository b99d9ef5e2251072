//! The lock under [`super::Mutex`]: three states in one word, after Drepper, "Futexes are tricky" (mutex 2).
#![allow(unsafe_code)] // `lock_api::RawMutex` is an unsafe trait: its implementor promises exclusion.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::machine::machine;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// One word: free, held, or held with sleepers.
pub(crate) struct RawMutex(AtomicU32);

// SAFETY: only the thread whose exchange saw FREE gets the lock, and only `unlock` stores FREE again.
unsafe impl lock_api::RawMutex for RawMutex {
    #[allow(clippy::declare_interior_mutable_const)] // the trait asks for it
    const INIT: Self = Self(AtomicU32::new(FREE));
    type GuardMarker = lock_api::GuardNoSend;

    #[inline]
    fn lock(&self) {
        if self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slow();
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    unsafe fn unlock(&self) {
        if self.0.swap(FREE, Ordering::Release) == CONTENDED {
            machine().wake_word(&self.0, 1);
        }
    }
}

impl RawMutex {
    #[cold]
    fn lock_slow(&self) {
        // A short critical section on another CPU is cheaper to spin for than to sleep for.
        for _ in 0..100 {
            if self.0.load(Ordering::Relaxed) == FREE
                && self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return;
            }
            core::hint::spin_loop();
        }
        while self.0.swap(CONTENDED, Ordering::Acquire) != FREE {
            machine().wait_word(&self.0, CONTENDED, None);
        }
    }
}
