//! Advisory locks: flock(2), and record locks of a process or of a description (fcntl_locking(2)). They hold within the
//! instance.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use linux_abi::Errno;
use linux_abi::fs::{F_RDLCK, F_UNLCK, F_WRLCK, Flock};
use platform::UserAddr;

use crate::mem::{read_value, write_value};
use crate::sync::{Mutex, mutex};
use crate::task::try_current;
use crate::vfs::OpenFile;
use crate::wait::{WaitQueue, block_on};

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// A process (F_SETLK).
    Process(u32),
    /// A description, by its address, for record locks (F_OFD_SETLK).
    Description(usize),
    /// A description, by its address, for flock(2).
    Whole(usize),
}

impl Owner {
    /// flock(2) and record locks do not see each other.
    fn meets(self, other: Self) -> bool {
        matches!(self, Self::Whole(_)) == matches!(other, Self::Whole(_)) && self != other
    }
}

/// A lock on the bytes from `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lock {
    owner: Owner,
    exclusive: bool,
    start: u64,
    end: u64,
}

/// The locks of each file, by device and inode number.
static LOCKS: Mutex<BTreeMap<(u64, u64), Vec<Lock>>> = mutex(BTreeMap::new());
/// How many files have locks, so that close(2) need not look if there are none.
static FILES: AtomicUsize = AtomicUsize::new(0);
static RELEASED: WaitQueue = WaitQueue::new();

type Key = (u64, u64);

fn key(file: &OpenFile) -> Result<Key, Errno> {
    file.attributes().map(|a| (a.dev, a.ino))
}

fn conflict(locks: &[Lock], wanted: &Lock) -> Option<Lock> {
    let clashes = |held: &&Lock| {
        held.owner.meets(wanted.owner)
            && held.start < wanted.end
            && wanted.start < held.end
            && (held.exclusive || wanted.exclusive)
    };
    locks.iter().find(clashes).copied()
}

/// Takes a range out of what the owner holds.
fn clear(locks: &mut Vec<Lock>, owner: Owner, start: u64, end: u64) {
    let mut kept = Vec::with_capacity(locks.len() + 1);
    for held in locks.drain(..) {
        if held.owner != owner || held.end <= start || end <= held.start {
            kept.push(held);
            continue;
        }
        if held.start < start {
            kept.push(Lock { end: start, ..held });
        }
        if end < held.end {
            kept.push(Lock { start: end, ..held });
        }
    }
    *locks = kept;
}

fn publish(files: &BTreeMap<Key, Vec<Lock>>) {
    FILES.store(files.len(), Ordering::Release);
}

fn release(key: Key, owner: Owner, start: u64, end: u64) {
    {
        let mut files = LOCKS.lock();
        let Some(locks) = files.get_mut(&key) else { return };
        clear(locks, owner, start, end);
        if locks.is_empty() {
            files.remove(&key);
        }
        publish(&files);
    }
    RELEASED.wake_all();
}

fn acquire(key: Key, wanted: Lock) -> Result<(), Errno> {
    {
        let mut files = LOCKS.lock();
        let locks = files.entry(key).or_default();
        if conflict(locks, &wanted).is_some() {
            return Err(Errno::EAGAIN);
        }
        clear(locks, wanted.owner, wanted.start, wanted.end);
        locks.push(wanted);
        publish(&files);
    }
    // A lock that became shared may let others in.
    RELEASED.wake_all();
    Ok(())
}

fn acquire_waiting(key: Key, wanted: Lock, wait: bool) -> Result<(), Errno> {
    match wait {
        true => block_on(&RELEASED, None, || acquire(key, wanted)),
        false => acquire(key, wanted),
    }
}

/// The address stands for the description as long as that lives; its locks go when it does.
fn description(file: &OpenFile) -> usize {
    core::ptr::from_ref(file).addr()
}

/// flock(2): locks exclusively or shared, or unlocks.
pub(super) fn flock(file: &Arc<OpenFile>, exclusive: Option<bool>, wait: bool) -> Result<(), Errno> {
    let (key, owner) = (key(file)?, Owner::Whole(description(file)));
    match exclusive {
        None => {
            release(key, owner, 0, u64::MAX);
            Ok(())
        }
        Some(exclusive) => acquire_waiting(key, Lock { owner, exclusive, start: 0, end: u64::MAX }, wait),
    }
}

fn record_owner(file: &OpenFile, of_description: bool) -> Owner {
    match of_description {
        true => Owner::Description(description(file)),
        false => Owner::Process(try_current().map_or(0, |thread| thread.process.pid)),
    }
}

/// The range that a `struct flock` means.
fn range(file: &OpenFile, flock: &Flock) -> Result<(u64, u64), Errno> {
    let base = match flock.l_whence {
        0 => 0,
        1 => *file.offset.lock() as i64,
        2 => file.attributes()?.size as i64,
        _ => return Err(Errno::EINVAL),
    };
    let start = base.checked_add(flock.l_start).ok_or(Errno::EOVERFLOW)?;
    let (start, end) = match flock.l_len {
        0 => (start, i64::MAX),
        len if len > 0 => (start, start.checked_add(len).ok_or(Errno::EOVERFLOW)?),
        len => (start.checked_add(len).ok_or(Errno::EINVAL)?, start),
    };
    let end = if flock.l_len == 0 { u64::MAX } else { end as u64 };
    Ok((u64::try_from(start).map_err(|_| Errno::EINVAL)?, end))
}

/// F_GETLK, F_OFD_GETLK: the lock that would be in the way.
pub(super) fn get(file: &Arc<OpenFile>, at: UserAddr, of_description: bool) -> Result<i64, Errno> {
    let mut flock: Flock = read_value(at)?;
    if of_description && flock.l_pid != 0 {
        return Err(Errno::EINVAL);
    }
    let exclusive = match flock.l_type {
        F_RDLCK => false,
        F_WRLCK => true,
        _ => return Err(Errno::EINVAL),
    };
    let (start, end) = range(file, &flock)?;
    let wanted = Lock { owner: record_owner(file, of_description), exclusive, start, end };
    let found = LOCKS.lock().get(&key(file)?).and_then(|locks| conflict(locks, &wanted));
    match found {
        None => flock.l_type = F_UNLCK,
        Some(held) => {
            flock.l_type = if held.exclusive { F_WRLCK } else { F_RDLCK };
            flock.l_whence = 0;
            flock.l_start = held.start as i64;
            flock.l_len = if held.end == u64::MAX { 0 } else { (held.end - held.start) as i64 };
            flock.l_pid = if let Owner::Process(pid) = held.owner { pid as i32 } else { -1 };
        }
    }
    write_value(at, &flock).map(|()| 0)
}

/// F_SETLK, F_SETLKW and their twins for descriptions.
pub(super) fn set(file: &Arc<OpenFile>, at: UserAddr, of_description: bool, wait: bool) -> Result<i64, Errno> {
    let flock: Flock = read_value(at)?;
    if of_description && flock.l_pid != 0 {
        return Err(Errno::EINVAL);
    }
    let (start, end) = range(file, &flock)?;
    let (key, owner) = (key(file)?, record_owner(file, of_description));
    let exclusive = match flock.l_type {
        F_UNLCK => {
            release(key, owner, start, end);
            return Ok(0);
        }
        F_RDLCK => {
            file.check_readable()?;
            false
        }
        F_WRLCK => {
            file.check_writable()?;
            true
        }
        _ => return Err(Errno::EINVAL),
    };
    acquire_waiting(key, Lock { owner, exclusive, start, end }, wait).map(|()| 0)
}

/// The process closed a descriptor of this file: all its record locks on the file go (fcntl_locking(2)).
pub(super) fn release_posix(file: &Arc<OpenFile>) {
    if FILES.load(Ordering::Acquire) == 0 {
        return;
    }
    if let (Some(thread), Ok(key)) = (try_current(), key(file)) {
        release(key, Owner::Process(thread.process.pid), 0, u64::MAX);
    }
}

/// The description ends, and with it its locks.
pub(super) fn release_description(file: &OpenFile) {
    if FILES.load(Ordering::Acquire) == 0 {
        return;
    }
    if let Ok(key) = key(file) {
        release(key, Owner::Whole(description(file)), 0, u64::MAX);
        release(key, Owner::Description(description(file)), 0, u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(pid: u32, exclusive: bool, start: u64, end: u64) -> Lock {
        Lock { owner: Owner::Process(pid), exclusive, start, end }
    }

    #[test]
    fn clearing_the_middle_splits_a_lock() {
        let mut locks = alloc::vec![lock(1, true, 0, 100), lock(2, false, 200, 300)];
        clear(&mut locks, Owner::Process(1), 40, 60);
        assert_eq!(locks, [lock(1, true, 0, 40), lock(1, true, 60, 100), lock(2, false, 200, 300)]);
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        let held = [lock(1, false, 0, 10)];
        assert_eq!(conflict(&held, &lock(2, false, 0, 10)), None);
        assert_eq!(conflict(&held, &lock(2, true, 9, 20)), Some(held[0]));
        assert_eq!(conflict(&held, &lock(2, true, 10, 20)), None);
        assert_eq!(conflict(&held, &lock(1, true, 0, 10)), None);
        assert_eq!(conflict(&held, &Lock { owner: Owner::Whole(1), ..lock(0, true, 0, u64::MAX) }), None);
    }
}
