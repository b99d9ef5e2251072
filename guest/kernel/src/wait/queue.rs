use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::sync::Mutex;
use crate::wait::Parker;

/// Something that is told when an object's state changed.
pub(crate) trait Waiter: Send + Sync {
    /// The object's state changed. Called with the queue's lock held: it may only wake a parker or set a flag.
    fn notify(&self);
}

/// Who waits for an object.
pub(crate) struct WaitQueue {
    waiters: Mutex<Vec<Arc<dyn Waiter>>>,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    /// A queue without waiters.
    pub(crate) const fn new() -> Self {
        Self { waiters: crate::sync::mutex(Vec::new()) }
    }

    /// Adds a waiter.
    pub(crate) fn add(&self, waiter: Arc<dyn Waiter>) {
        self.waiters.lock().push(waiter);
    }

    /// Removes a waiter (one entry of it).
    pub(crate) fn remove(&self, waiter: &Arc<dyn Waiter>) {
        let mut waiters = self.waiters.lock();
        if let Some(at) = waiters.iter().position(|w| Arc::ptr_eq(w, waiter)) {
            waiters.swap_remove(at);
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.lock().is_empty()
    }

    /// Tells every waiter.
    pub(crate) fn wake_all(&self) {
        for waiter in self.waiters.lock().iter() {
            waiter.notify();
        }
    }
}

impl Waiter for Parker {
    fn notify(&self) {
        self.unpark();
    }
}
