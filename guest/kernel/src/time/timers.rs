//! Deadlines that call back. Whoever watches the outside runs them; see [`crate::wait`].

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use platform::Deadline;

use crate::sync::{Mutex, mutex};
use crate::wait::Waiter;

/// Names a timer in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerId(Deadline, u64);

static QUEUE: Mutex<BTreeMap<TimerId, Arc<dyn Waiter>>> = mutex(BTreeMap::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
/// The first deadline of the queue, to be read without the lock; `u64::MAX` if it is empty.
static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);

/// Notifies `waiter` once, soon after the deadline. No lock is held then.
pub(crate) fn add(deadline: Deadline, waiter: Arc<dyn Waiter>) -> TimerId {
    let id = TimerId(deadline, NEXT_ID.fetch_add(1, Ordering::Relaxed));
    let earliest = {
        let mut queue = QUEUE.lock();
        queue.insert(id, waiter);
        publish(&queue);
        queue.first_key_value().is_some_and(|(first, _)| *first == id)
    };
    if earliest {
        crate::wait::deadline_changed();
        super::service::changed();
    }
    id
}

/// Takes a timer out; nothing happens if it has expired already.
pub(crate) fn remove(id: TimerId) {
    let mut queue = QUEUE.lock();
    queue.remove(&id);
    publish(&queue);
}

/// The first deadline.
#[inline]
pub(crate) fn next_deadline() -> Option<Deadline> {
    let first = FIRST.load(Ordering::Acquire);
    (first != u64::MAX).then_some(first)
}

/// Notifies the waiters whose deadline has passed.
pub(crate) fn run_expired() {
    while next_deadline().is_some_and(|first| first <= super::monotonic()) {
        let now = super::monotonic();
        let expired = {
            let mut queue = QUEUE.lock();
            let due = queue.first_key_value().is_some_and(|(id, _)| id.0 <= now);
            let first = if due { queue.pop_first() } else { None };
            publish(&queue);
            first
        };
        let Some((_, waiter)) = expired else { return };
        waiter.notify();
    }
}

fn publish(queue: &BTreeMap<TimerId, Arc<dyn Waiter>>) {
    FIRST.store(queue.first_key_value().map_or(u64::MAX, |(id, _)| id.0), Ordering::Release);
}
