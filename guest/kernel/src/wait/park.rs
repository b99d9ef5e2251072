use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::Errno;
use platform::{Deadline, WaitOutcome};

use crate::machine::machine;
use crate::wait::{WaitQueue, Waiter};

const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;
const PARKED: u32 = 2;

/// A thread's place to sleep.
pub(crate) struct Parker {
    word: AtomicU32,
}

impl Parker {
    /// A parker that nobody has woken.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(EMPTY) }
    }

    /// Forgets earlier wake-ups.
    pub(crate) fn reset(&self) {
        self.word.store(EMPTY, Ordering::Release);
    }

    /// Wakes the thread, or lets its next park return at once.
    pub(crate) fn unpark(&self) {
        if self.word.swap(NOTIFIED, Ordering::AcqRel) == PARKED {
            machine().wake_word(&self.word, 1);
        }
    }

    /// Sleeps until woken. Only the owning thread calls this.
    pub(crate) fn park(&self, deadline: Option<Deadline>) -> WaitOutcome {
        // TODO(task helper): the watcher role (wait_io + net::poll) as described in `wait/mod.rs`.
        if self.word.compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.word.store(EMPTY, Ordering::Release);
            return WaitOutcome::Woken;
        }
        loop {
            let outcome = machine().wait_word(&self.word, PARKED, deadline);
            if self.word.load(Ordering::Acquire) == NOTIFIED {
                self.word.store(EMPTY, Ordering::Release);
                return WaitOutcome::Woken;
            }
            if outcome != WaitOutcome::Woken {
                self.word.store(EMPTY, Ordering::Release);
                return outcome;
            }
        }
    }
}

/// Runs `attempt` until it gives something else than `EAGAIN`, sleeping on one queue in between.
/// `EAGAIN` at the deadline; `ERESTARTSYS` when a signal came.
pub(crate) fn block_on<T>(
    queue: &WaitQueue,
    deadline: Option<Deadline>,
    attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    block_on_queues(&[queue], deadline, attempt)
}

/// [`block_on`] for several queues.
pub(crate) fn block_on_queues<T>(
    queues: &[&WaitQueue],
    deadline: Option<Deadline>,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    match attempt() {
        Err(Errno::EAGAIN) => {}
        result => return result,
    }
    let parker: Arc<Parker> = crate::task::current_parker();
    parker.reset();
    let waiter: Arc<dyn Waiter> = parker.clone();
    queues.iter().for_each(|queue| queue.add(waiter.clone()));
    let result = loop {
        match attempt() {
            Err(Errno::EAGAIN) => {}
            result => break result,
        }
        match parker.park(deadline) {
            WaitOutcome::Woken => {}
            WaitOutcome::TimedOut => break attempt(),
            WaitOutcome::Interrupted => break Err(Errno::ERESTARTSYS),
        }
        if crate::task::signal_pending() {
            break attempt().map_err(|e| if e == Errno::EAGAIN { Errno::ERESTARTSYS } else { e });
        }
    };
    queues.iter().for_each(|queue| queue.remove(&waiter));
    result
}
