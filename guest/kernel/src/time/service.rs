//! The thread that runs timers while every thread of the program computes.
//!
//! Timers are run by threads that wait ([`crate::wait`]). A timer that sends a signal must reach a program that does not
//! wait, so the first such timer starts a thread of the kernel's own. The machine can start threads only in the
//! application: this one begins at address 0, where nothing is ever mapped, and the fault brings it into the kernel for
//! good.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use platform::{ThreadStart, UserContext};

use crate::machine::machine;
use crate::task::{Thread, adopt, current};

/// The service thread has no number of the program's.
const TID: u32 = 0;
/// Counts the changes of the timer queue; the service sleeps on it.
static CHANGES: AtomicU32 = AtomicU32::new(0);
static STARTED: AtomicBool = AtomicBool::new(false);

/// Starts the thread, once. Without room for it timers run at the program's next wait.
pub(super) fn start() {
    if STARTED.swap(true, Ordering::AcqRel) {
        return;
    }
    let thread = Thread::new(TID, current().process.clone(), *b"timers\0\0\0\0\0\0\0\0\0\0", u64::MAX);
    let token = adopt(thread.clone());
    thread.token.store(token, Ordering::Release);
    let context = UserContext { full_restore: 1, ..UserContext::default() };
    if machine().start_thread(&ThreadStart { context, token }).is_err() {
        STARTED.store(false, Ordering::Release);
    }
}

/// Whether this thread is the service.
pub(crate) fn is_service(thread: &Thread) -> bool {
    thread.tid == TID
}

/// The first deadline of the queue changed.
pub(super) fn changed() {
    if STARTED.load(Ordering::Acquire) {
        CHANGES.fetch_add(1, Ordering::AcqRel);
        machine().wake_word(&CHANGES, 1);
    }
}

/// What the thread does.
pub(crate) fn run() -> ! {
    loop {
        let seen = CHANGES.load(Ordering::Acquire);
        super::run_expired();
        crate::signal::drain_external();
        machine().wait_word(&CHANGES, seen, super::next_deadline());
    }
}
