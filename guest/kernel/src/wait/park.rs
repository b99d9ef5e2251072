use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::Errno;
use platform::{Deadline, WaitOutcome};

use crate::machine::machine;
use crate::wait::{WaitQueue, Waiter, watcher};

/// Awake, and nobody has woken it.
const EMPTY: u32 = 0;
/// Woken since the last look.
const NOTIFIED: u32 = 1;
/// Sleeps on its word.
const PARKED: u32 = 2;
/// Sleeps as the watcher.
const WATCHING: u32 = 3;
/// Sleeps on its word and is asked to become the watcher.
const CALLED: u32 = 4;

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
    #[inline]
    pub(crate) fn reset(&self) {
        self.word.store(EMPTY, Ordering::Release);
    }

    /// Wakes the thread, or lets its next park return at once.
    pub(crate) fn unpark(&self) {
        match self.word.swap(NOTIFIED, Ordering::AcqRel) {
            PARKED | CALLED => machine().wake_word(&self.word, 1),
            WATCHING => machine().kick(),
            _ => {}
        }
    }

    /// Whether it was woken since the last [`Parker::reset`] or park.
    #[inline]
    pub(crate) fn notified(&self) -> bool {
        self.word.load(Ordering::Acquire) == NOTIFIED
    }

    /// Asks a sleeping thread to become the watcher; `false` if it does not sleep.
    pub(super) fn call(&self) -> bool {
        let called = self.word.compare_exchange(PARKED, CALLED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if called {
            machine().wake_word(&self.word, 1);
        }
        called
    }

    /// Sleeps until woken by something inside the instance (futex(2)): never as the watcher, which a thread that serves
    /// packets must be able to become at once. Only the owning thread calls this.
    pub(crate) fn park_inside(&self, deadline: Option<Deadline>) -> WaitOutcome {
        self.sleep(deadline, PARKED)
    }

    /// Sleeps until woken, perhaps as the watcher. Only the owning thread calls this.
    pub(crate) fn park(self: &Arc<Self>, deadline: Option<Deadline>) -> WaitOutcome {
        loop {
            if let Some(role) = watcher::Role::take() {
                return self.watch(&role, deadline);
            }
            let listed = watcher::Listed::new(self);
            // The watcher may have left before this thread was listed: then nobody would call it.
            if watcher::is_vacant() {
                continue;
            }
            let outcome = self.sleep(deadline, PARKED);
            drop(listed);
            if outcome != WaitOutcome::Woken || self.take_notice() {
                return outcome;
            }
        }
    }

    /// Whether it was woken for its own sake; if not, it was called to be the watcher.
    fn take_notice(&self) -> bool {
        self.word.swap(EMPTY, Ordering::AcqRel) != CALLED
    }

    fn sleep(&self, deadline: Option<Deadline>, state: u32) -> WaitOutcome {
        if self.word.compare_exchange(EMPTY, state, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.reset();
            return WaitOutcome::Woken;
        }
        loop {
            // A thread that computes gives nobody the time to run timers: those who sleep inside do it then.
            let timer = if watcher::is_vacant() { crate::time::next_deadline() } else { None };
            let outcome = machine().wait_word(&self.word, state, earlier(deadline, timer));
            match self.word.load(Ordering::Acquire) {
                CALLED => return WaitOutcome::Woken,
                NOTIFIED => {
                    self.reset();
                    return WaitOutcome::Woken;
                }
                _ => {}
            }
            let mut interrupted = outcome == WaitOutcome::Interrupted;
            if timer.is_some() {
                crate::time::run_expired();
                // A timer's signal to this very thread rouses nobody.
                interrupted |= crate::task::signal_pending();
            }
            let timed_out = deadline.is_some_and(|at| crate::time::monotonic() >= at);
            if interrupted || timed_out {
                let seen = self.word.swap(EMPTY, Ordering::AcqRel);
                return match seen {
                    NOTIFIED => WaitOutcome::Woken,
                    _ if timed_out => WaitOutcome::TimedOut,
                    _ => WaitOutcome::Interrupted,
                };
            }
        }
    }

    fn watch(&self, _role: &watcher::Role, deadline: Option<Deadline>) -> WaitOutcome {
        if self.word.compare_exchange(EMPTY, WATCHING, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.reset();
            return WaitOutcome::Woken;
        }
        let outcome = loop {
            let network = crate::net::poll();
            crate::time::run_expired();
            if self.notified() {
                break WaitOutcome::Woken;
            }
            // Also those that the timers have just sent: a signal to this very thread rouses nobody.
            if crate::task::signal_pending() {
                break WaitOutcome::Interrupted;
            }
            if deadline.is_some_and(|at| crate::time::monotonic() >= at) {
                break WaitOutcome::TimedOut;
            }
            let until = earlier(earlier(deadline, network), crate::time::next_deadline());
            let ready = machine().wait_io(watcher::stdin_wanted(), until);
            if ready.stdin {
                watcher::stdin_ready();
            }
            if ready.interrupted {
                break WaitOutcome::Interrupted;
            }
        };
        // Woken in the meantime: that counts for more than how the sleep ended.
        if self.word.swap(EMPTY, Ordering::AcqRel) == NOTIFIED { WaitOutcome::Woken } else { outcome }
    }
}

/// The earlier of two deadlines.
fn earlier(a: Option<Deadline>, b: Option<Deadline>) -> Option<Deadline> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
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
    let result = wait_loop(&parker, deadline, &mut attempt);
    queues.iter().for_each(|queue| queue.remove(&waiter));
    result
}

/// Attempts and sleeps by turns. Whatever can make the attempt succeed must already be set to wake `parker`.
fn wait_loop<T>(
    parker: &Arc<Parker>,
    deadline: Option<Deadline>,
    attempt: &mut impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    loop {
        match attempt() {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
        if crate::task::signal_pending() {
            return Err(Errno::ERESTARTSYS);
        }
        if parker.park(deadline) == WaitOutcome::TimedOut {
            return attempt();
        }
    }
}
