//! Who watches the outside.
//!
//! Only threads that wait for files, sockets or time take the role, and only those are called to take it over. A thread in
//! futex(2) is left alone: a server's idle helper threads would otherwise be woken for every packet of the thread that
//! does the work.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::machine::machine;
use crate::sync::{Mutex, mutex};
use crate::wait::{Parker, WaitQueue};

static TAKEN: AtomicBool = AtomicBool::new(false);
static SLEEPERS: Mutex<Vec<Arc<Parker>>> = mutex(Vec::new());
/// Whether `SLEEPERS` holds any, to be read without the lock.
static ANY_SLEEPER: AtomicBool = AtomicBool::new(false);

/// The role of the watcher; whoever drops it hands it over to a sleeping thread.
pub(super) struct Role(());

impl Role {
    /// Takes the role if nobody has it.
    pub(super) fn take() -> Option<Self> {
        TAKEN.compare_exchange(false, true, Ordering::SeqCst, Ordering::Relaxed).is_ok().then(|| Self(()))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::SeqCst);
        if ANY_SLEEPER.load(Ordering::SeqCst) {
            let sleepers = SLEEPERS.lock();
            let _ = sleepers.iter().any(|parker| parker.call());
        }
    }
}

/// Whether nobody watches.
pub(super) fn is_vacant() -> bool {
    !TAKEN.load(Ordering::SeqCst)
}

/// A sleeping thread that can be called to watch, as long as this lives.
pub(super) struct Listed<'a>(&'a Arc<Parker>);

impl<'a> Listed<'a> {
    pub(super) fn new(parker: &'a Arc<Parker>) -> Self {
        let mut sleepers = SLEEPERS.lock();
        sleepers.push(parker.clone());
        ANY_SLEEPER.store(true, Ordering::SeqCst);
        Self(parker)
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut sleepers = SLEEPERS.lock();
        if let Some(at) = sleepers.iter().position(|p| Arc::ptr_eq(p, self.0)) {
            sleepers.swap_remove(at);
        }
        ANY_SLEEPER.store(!sleepers.is_empty(), Ordering::SeqCst);
    }
}

/// Makes the watcher look at its deadlines again.
pub(crate) fn deadline_changed() {
    if !is_vacant() {
        machine().kick();
    }
}

static STDIN: WaitQueue = WaitQueue::new();
/// Standard input was found ready and has not been read dry since.
static STDIN_READY: AtomicBool = AtomicBool::new(false);

/// Who waits for standard input. As long as somebody does, the watcher watches it.
pub(crate) fn stdin_queue() -> &'static WaitQueue {
    &STDIN
}

/// Standard input gave `EAGAIN`: it has to be watched again.
pub(crate) fn stdin_drained() {
    STDIN_READY.store(false, Ordering::Release);
}

pub(super) fn stdin_wanted() -> bool {
    !STDIN_READY.load(Ordering::Acquire) && !STDIN.is_empty()
}

pub(super) fn stdin_ready() {
    STDIN_READY.store(true, Ordering::Release);
    STDIN.wake_all();
}
