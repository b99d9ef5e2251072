//! The descriptor table of a process.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::Errno;

use crate::sync::{Mutex, mutex};
use crate::vfs::OpenFile;

/// Descriptors never go beyond this (`/proc/sys/fs/nr_open`).
pub(crate) const NR_OPEN: u64 = 1 << 20;
/// The soft limit at start (`RLIMIT_NOFILE`).
pub(crate) const DEFAULT_LIMIT: u64 = 1 << 20;

struct Slot {
    file: Arc<OpenFile>,
    close_on_exec: bool,
}

#[derive(Default)]
struct Slots {
    slots: Vec<Option<Slot>>,
    /// No descriptor below this one is free.
    lowest: usize,
}

/// Which open file description each descriptor stands for.
pub(crate) struct DescriptorTable {
    slots: Mutex<Slots>,
    limit: AtomicU64,
}

impl Default for DescriptorTable {
    fn default() -> Self {
        Self::new()
    }
}

impl DescriptorTable {
    /// A table without descriptors.
    pub(crate) const fn new() -> Self {
        Self { slots: mutex(Slots { slots: Vec::new(), lowest: 0 }), limit: AtomicU64::new(DEFAULT_LIMIT) }
    }

    /// The soft limit of `RLIMIT_NOFILE`: one more than the highest descriptor that may be made.
    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Sets the soft limit (prlimit64(2)); descriptors beyond it stay open.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit.min(NR_OPEN), Ordering::Relaxed);
    }

    /// The description behind a descriptor; `EBADF` if there is none.
    #[inline]
    pub(crate) fn get(&self, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        let slots = self.slots.lock();
        match slots.slots.get(fd as u32 as usize) {
            Some(Some(slot)) => Ok(slot.file.clone()),
            _ => Err(Errno::EBADF),
        }
    }

    /// Gives the description the lowest free descriptor that is at least `min`; `EMFILE` at the limit.
    pub(crate) fn insert(&self, file: Arc<OpenFile>, close_on_exec: bool, min: i32) -> Result<i32, Errno> {
        let mut slots = self.slots.lock();
        let start = slots.lowest.max(usize::try_from(min).map_err(|_| Errno::EINVAL)?);
        let fd =
            (start..slots.slots.len()).find(|fd| slots.slots[*fd].is_none()).unwrap_or(start.max(slots.slots.len()));
        if fd as u64 >= self.limit() {
            return Err(Errno::EMFILE);
        }
        slots.grow_to(fd + 1)?;
        slots.slots[fd] = Some(Slot { file, close_on_exec });
        if start == slots.lowest {
            slots.lowest = fd + 1;
        }
        Ok(fd as i32)
    }

    /// Puts the description at exactly this descriptor, closing what was there (dup2(2)). `EBADF` beyond the limit.
    pub(crate) fn replace(&self, fd: i32, file: Arc<OpenFile>, close_on_exec: bool) -> Result<(), Errno> {
        let at = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        if at as u64 >= self.limit() {
            return Err(Errno::EBADF);
        }
        let old = {
            let mut slots = self.slots.lock();
            slots.grow_to(at + 1)?;
            slots.slots[at].replace(Slot { file, close_on_exec })
        };
        // Outside the lock: the last reference may run the file's `closed`.
        if let Some(old) = old {
            forget(old);
        }
        Ok(())
    }

    /// Closes a descriptor; `EBADF` if it was not open.
    pub(crate) fn close(&self, fd: i32) -> Result<(), Errno> {
        let old = self.slots.lock().remove(fd as u32 as usize);
        old.map(forget).ok_or(Errno::EBADF)
    }

    /// Closes the open descriptors from `first` to `last`.
    pub(crate) fn close_range(&self, first: u32, last: u32) {
        for fd in self.open_in(first, last) {
            let _ = self.close(fd as i32);
        }
    }

    /// Marks the open descriptors from `first` to `last` close-on-exec.
    pub(crate) fn mark_range(&self, first: u32, last: u32) {
        let mut slots = self.slots.lock();
        slots.range_mut(first, last).for_each(|slot| slot.close_on_exec = true);
    }

    /// Closes what is marked close-on-exec (execve(2)).
    #[allow(dead_code)] // for execve(2), which is to come
    pub(crate) fn close_on_exec(&self) {
        let marked: Vec<usize> = {
            let slots = self.slots.lock();
            let open = slots.slots.iter().enumerate();
            open.filter(|(_, slot)| slot.as_ref().is_some_and(|s| s.close_on_exec)).map(|(fd, _)| fd).collect()
        };
        for fd in marked {
            let _ = self.close(fd as i32);
        }
    }

    /// Closes everything (the process ends).
    pub(crate) fn close_all(&self) {
        self.close_range(0, u32::MAX);
    }

    /// Whether the descriptor is closed by execve(2) (`FD_CLOEXEC`).
    pub(crate) fn is_close_on_exec(&self, fd: i32) -> Result<bool, Errno> {
        let slots = self.slots.lock();
        let slot = slots.slots.get(fd as u32 as usize).and_then(Option::as_ref);
        slot.map(|s| s.close_on_exec).ok_or(Errno::EBADF)
    }

    /// Sets or clears `FD_CLOEXEC`.
    pub(crate) fn set_close_on_exec(&self, fd: i32, on: bool) -> Result<(), Errno> {
        let mut slots = self.slots.lock();
        let slot = slots.slots.get_mut(fd as u32 as usize).and_then(Option::as_mut);
        slot.map(|s| s.close_on_exec = on).ok_or(Errno::EBADF)
    }

    /// The open descriptors from `first` to `last`, in order.
    pub(crate) fn open_in(&self, first: u32, last: u32) -> Vec<u32> {
        let slots = self.slots.lock();
        let end = slots.slots.len().min((last as usize).saturating_add(1));
        (first as usize..end).filter(|fd| slots.slots[*fd].is_some()).map(|fd| fd as u32).collect()
    }
}

impl Slots {
    fn grow_to(&mut self, len: usize) -> Result<(), Errno> {
        if self.slots.len() < len {
            self.slots.try_reserve(len - self.slots.len()).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize_with(len, || None);
        }
        Ok(())
    }

    fn remove(&mut self, fd: usize) -> Option<Slot> {
        let old = self.slots.get_mut(fd)?.take()?;
        self.lowest = self.lowest.min(fd);
        Some(old)
    }

    fn range_mut(&mut self, first: u32, last: u32) -> impl Iterator<Item = &mut Slot> {
        let end = self.slots.len().min((last as usize).saturating_add(1));
        let start = (first as usize).min(end);
        self.slots[start..end].iter_mut().flatten()
    }
}

/// What close(2) does besides dropping the reference: the process's POSIX locks on the file go (fcntl_locking(2)).
fn forget(slot: Slot) {
    super::lock::release_posix(&slot.file);
    drop(slot);
}
