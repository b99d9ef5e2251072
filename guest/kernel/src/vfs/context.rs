//! Where a process's paths begin, and what its new files may not allow.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::sync::{Mutex, mutex};
use crate::vfs::Inode;

/// The file-system part of a process: working directory and umask. The root is the same for all.
pub(crate) struct FsContext {
    cwd: Mutex<Arc<dyn Inode>>,
    umask: AtomicU32,
}

impl FsContext {
    /// At the root directory, with umask 022.
    pub(crate) fn new() -> Self {
        Self { cwd: mutex(super::mount::root()), umask: AtomicU32::new(0o022) }
    }

    /// The working directory.
    pub(crate) fn cwd(&self) -> Arc<dyn Inode> {
        self.cwd.lock().clone()
    }

    /// Changes the working directory. The caller checked that it is a directory and may be searched.
    pub(crate) fn set_cwd(&self, directory: Arc<dyn Inode>) {
        *self.cwd.lock() = directory;
    }

    /// The bits that new files do not get.
    pub(crate) fn umask(&self) -> u32 {
        self.umask.load(Ordering::Relaxed)
    }

    /// Sets the umask; gives the old one (umask(2)).
    pub(crate) fn set_umask(&self, mask: u32) -> u32 {
        self.umask.swap(mask & 0o777, Ordering::Relaxed)
    }
}
