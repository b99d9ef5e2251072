use alloc::string::String;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use linux_abi::poll::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP, POLLRDNORM, POLLWRNORM};

use super::{Epoll, Key};
use crate::vfs::OpenFile;
use crate::vfs::file::Events;
use crate::wait::Waiter;

/// The bits of `events` that are no events.
const SETTINGS: u32 = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;

/// A file that an instance watches.
pub(crate) struct Watch {
    me: Weak<Self>,
    epoll: Weak<Epoll>,
    file: Weak<OpenFile>,
    key: Key,
    /// What is asked for; 0 once a one-shot watch has reported.
    events: AtomicU32,
    data: AtomicU64,
    /// Whether it is on the ready list.
    queued: AtomicBool,
}

/// What poll(2) would say of a file.
pub(crate) fn poll_bits(file: &OpenFile) -> u32 {
    let events = file.file.poll();
    let mut bits = events.bits();
    if events.contains(Events::IN) {
        bits |= POLLRDNORM;
    }
    if events.contains(Events::OUT) {
        bits |= POLLWRNORM;
    }
    bits
}

impl Watch {
    pub(super) fn new(epoll: &Arc<Epoll>, fd: i32, file: &Arc<OpenFile>, events: u32, data: u64) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            epoll: Arc::downgrade(epoll),
            file: Arc::downgrade(file),
            key: super::key(fd, file),
            events: with_errors(events).into(),
            data: data.into(),
            queued: AtomicBool::new(false),
        })
    }

    pub(super) fn arc(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    pub(super) fn epoll(&self) -> Option<Arc<Epoll>> {
        self.epoll.upgrade()
    }

    pub(super) fn file(&self) -> Option<Arc<OpenFile>> {
        self.file.upgrade()
    }

    pub(super) fn set(&self, events: u32, data: u64) {
        self.data.store(data, Ordering::Release);
        self.events.store(with_errors(events), Ordering::Release);
    }

    pub(super) fn data(&self) -> u64 {
        self.data.load(Ordering::Acquire)
    }

    pub(super) fn settings(&self) -> u32 {
        self.events.load(Ordering::Acquire) & SETTINGS
    }

    /// The events that are both asked for and there.
    pub(super) fn ready_events(&self, file: &OpenFile) -> u32 {
        let wanted = self.events.load(Ordering::Acquire) & !SETTINGS;
        if wanted == 0 { 0 } else { poll_bits(file) & wanted }
    }

    /// Switches a one-shot watch off; `false` if another thread did.
    pub(super) fn disarm(&self) -> bool {
        self.events.swap(0, Ordering::AcqRel) != 0
    }

    /// Whether the caller is the one who puts it on the list.
    pub(super) fn queue_once(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
    }

    pub(super) fn unqueue(&self) {
        self.queued.store(false, Ordering::Release);
    }

    pub(super) fn attach(self: &Arc<Self>, file: &OpenFile) {
        file.watches.lock().push(self.me.clone());
        if let Some(queue) = file.file.queue() {
            queue.add(self.clone());
        }
    }

    pub(super) fn detach(self: &Arc<Self>, file: &OpenFile) {
        self.set_off();
        file.watches.lock().retain(|watch| !Weak::ptr_eq(watch, &self.me));
        self.leave_queue(file);
    }

    fn set_off(&self) {
        self.events.store(0, Ordering::Release);
    }

    fn leave_queue(self: &Arc<Self>, file: &OpenFile) {
        if let Some(queue) = file.file.queue() {
            let waiter: Arc<dyn Waiter> = self.clone();
            queue.remove(&waiter);
        }
    }

    /// Its line in /proc/self/fdinfo.
    pub(super) fn describe(&self) -> String {
        let (events, data) = (self.events.load(Ordering::Relaxed), self.data());
        alloc::format!("tfd: {:8} events: {:8x} data: {:16x}\n", self.key.0, events, data)
    }
}

/// Errors and hang-ups are always reported.
fn with_errors(events: u32) -> u32 {
    events | (Events::ERR | Events::HUP).bits()
}

/// The description that a watch watches is ending.
pub(crate) fn forget(watch: &Weak<Watch>, file: &OpenFile) {
    let Some(watch) = watch.upgrade() else { return };
    watch.set_off();
    watch.leave_queue(file);
    if let Some(epoll) = watch.epoll() {
        let removed = epoll.interest.lock().remove(&watch.key);
        drop(removed);
    }
}
