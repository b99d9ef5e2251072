//! inotify(7): tells of changes that programs of the instance make. What the host changes in a volume is not seen.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use linux_abi::Errno;
use linux_abi::fs::{
    IN_ALL_EVENTS, IN_DELETE_SELF, IN_IGNORED, IN_ISDIR, IN_MASK_ADD, IN_MASK_CREATE, IN_ONESHOT, IN_Q_OVERFLOW,
};
use platform::UserAddr;

use crate::mem::{Sink, write_value};
use crate::sync::{Mutex, mutex};
use crate::vfs::file::Events;
use crate::vfs::{File, Inode, Kind, Place, ioctl};
use crate::wait::WaitQueue;

/// `/proc/sys/fs/inotify/max_queued_events`.
const MAX_QUEUED: usize = 16384;

/// Device and inode number.
type Key = (u64, u64);

#[derive(Clone, PartialEq, Eq)]
struct Event {
    watch: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Event {
    /// As `struct inotify_event`, the name padded with zero bytes.
    fn encode(&self) -> Vec<u8> {
        let padded = if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(16) };
        let mut bytes = Vec::with_capacity(16 + padded);
        bytes.extend_from_slice(&self.watch.to_le_bytes());
        for word in [self.mask, self.cookie, padded as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.name);
        bytes.resize(16 + padded, 0);
        bytes
    }
}

#[derive(Default)]
struct State {
    watches: BTreeMap<i32, (Key, u32)>,
    last: i32,
    events: VecDeque<Event>,
}

/// An instance.
pub(super) struct Inotify {
    state: Mutex<State>,
    queue: WaitQueue,
}

static INSTANCES: Mutex<Vec<Weak<Inotify>>> = mutex(Vec::new());
/// How many watches there are, so that nothing is done if there are none.
static WATCHES: AtomicUsize = AtomicUsize::new(0);
static COOKIE: AtomicU32 = AtomicU32::new(1);

impl Inotify {
    /// An instance without watches.
    pub(super) fn new() -> Arc<Self> {
        let this = Arc::new(Self { state: mutex(State::default()), queue: WaitQueue::new() });
        let mut instances = INSTANCES.lock();
        instances.retain(|instance| instance.strong_count() > 0);
        instances.push(Arc::downgrade(&this));
        this
    }

    /// Watches an inode, or changes what it is watched for; gives the watch's number.
    pub(super) fn watch(&self, inode: &Arc<dyn Inode>, mask: u32) -> Result<i32, Errno> {
        let attributes = inode.attributes()?;
        let key = (attributes.dev, attributes.ino);
        let mut state = self.state.lock();
        if let Some((number, (_, old))) = state.watches.iter_mut().find(|(_, (watched, _))| *watched == key) {
            if mask & IN_MASK_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            *old = if mask & IN_MASK_ADD != 0 { *old | mask } else { mask };
            return Ok(*number);
        }
        state.last += 1;
        let number = state.last;
        state.watches.insert(number, (key, mask));
        WATCHES.fetch_add(1, Ordering::Release);
        Ok(number)
    }

    /// Ends a watch; `EINVAL` if there is none of that number.
    pub(super) fn unwatch(&self, number: i32) -> Result<(), Errno> {
        self.state.lock().end(number).ok_or(Errno::EINVAL)?;
        self.queue.wake_all();
        Ok(())
    }

    fn tell(&self, key: Key, mask: u32, cookie: u32, name: &[u8]) {
        let told = {
            let mut state = self.state.lock();
            let events = mask & IN_ALL_EVENTS;
            let watching: Vec<(i32, u32)> =
                state.watches.iter().filter(|(_, w)| w.0 == key && w.1 & events != 0).map(|(n, w)| (*n, w.1)).collect();
            for (watch, wanted) in &watching {
                state.push(Event { watch: *watch, mask, cookie, name: name.to_vec() });
                if wanted & IN_ONESHOT != 0 || mask & IN_DELETE_SELF != 0 {
                    state.end(*watch);
                }
            }
            !watching.is_empty()
        };
        if told {
            self.queue.wake_all();
        }
    }
}

impl State {
    fn push(&mut self, event: Event) {
        // The same event twice in a row is one event (inotify(7)).
        if self.events.back() == Some(&event) {
            return;
        }
        match self.events.len() {
            MAX_QUEUED.. => {}
            n if n + 1 == MAX_QUEUED => {
                self.events.push_back(Event { watch: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: Vec::new() });
            }
            _ => self.events.push_back(event),
        }
    }

    fn end(&mut self, watch: i32) -> Option<()> {
        self.watches.remove(&watch)?;
        WATCHES.fetch_sub(1, Ordering::Release);
        self.push(Event { watch, mask: IN_IGNORED, cookie: 0, name: Vec::new() });
        Some(())
    }
}

/// Whether anybody watches anything.
#[inline]
pub(super) fn active() -> bool {
    WATCHES.load(Ordering::Acquire) != 0
}

/// A number that joins the two events of a rename.
pub(super) fn cookie() -> u32 {
    COOKIE.fetch_add(1, Ordering::Relaxed)
}

/// Something happened to an inode, or (with a name) to an entry of a directory.
pub(super) fn tell(inode: &dyn Inode, name: &[u8], mask: u32, cookie: u32) {
    if !active() {
        return;
    }
    let Ok(attributes) = inode.attributes() else { return };
    let instances: Vec<Arc<Inotify>> = INSTANCES.lock().iter().filter_map(Weak::upgrade).collect();
    for instance in instances {
        instance.tell((attributes.dev, attributes.ino), mask, cookie, name);
    }
}

/// Something happened to a file: whoever watches it or its directory is told.
pub(super) fn tell_place(place: &Place, mask: u32) {
    if !active() {
        return;
    }
    let mask = if place.inode.kind() == Kind::Directory { mask | IN_ISDIR } else { mask };
    tell(&*place.inode, b"", mask, 0);
    match &place.parent {
        Some(parent) => tell(&**parent, &place.name, mask, 0),
        None => {
            if let Some(parent) = place.inode.parent() {
                tell(&*parent, &place.inode.name(), mask, 0);
            }
        }
    }
}

impl File for Inotify {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        let before = to.done();
        loop {
            let mut state = self.state.lock();
            let Some(event) = state.events.front() else { break };
            let bytes = event.encode();
            if bytes.len() > to.remaining() {
                if to.done() == before {
                    return Err(Errno::EINVAL);
                }
                break;
            }
            to.put(&bytes)?;
            state.events.pop_front();
        }
        match to.done() - before {
            0 => Err(Errno::EAGAIN),
            n => Ok(n),
        }
    }

    fn poll(&self) -> Events {
        if self.state.lock().events.is_empty() { Events::empty() } else { Events::IN }
    }

    fn queue(&self) -> Option<&WaitQueue> {
        Some(&self.queue)
    }

    fn ioctl(&self, request: u32, argument: UserAddr) -> Result<i64, Errno> {
        if request != ioctl::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes: usize = self.state.lock().events.iter().map(|event| event.encode().len()).sum();
        write_value(argument, &(bytes as i32)).map(|()| 0)
    }

    fn closed(&self) {
        let mut state = self.state.lock();
        WATCHES.fetch_sub(state.watches.len(), Ordering::Release);
        state.watches.clear();
    }

    fn describe(&self) -> Vec<u8> {
        b"anon_inode:inotify".to_vec()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
