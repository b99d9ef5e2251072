//! poll(2) and select(2): waiting for any of several descriptors.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;
use platform::Deadline;

use crate::vfs::OpenFile;
use crate::vfs::epoll::poll_bits;
use crate::wait::{WaitQueue, block_on_queues};

/// One file and the events that are of interest.
pub(super) struct Item {
    pub(super) file: Arc<OpenFile>,
    pub(super) wanted: u32,
}

impl Item {
    /// The events that are both wanted and there.
    pub(super) fn ready(&self) -> u32 {
        poll_bits(&self.file) & self.wanted
    }
}

/// Waits until `look` finds something, or the deadline. `EINTR` if a signal came first.
pub(super) fn wait_for<T>(
    items: &[Item],
    deadline: Option<Deadline>,
    mut look: impl FnMut() -> Option<T>,
) -> Result<Option<T>, Errno> {
    if let Some(found) = look() {
        return Ok(Some(found));
    }
    let queues: Vec<&WaitQueue> = items.iter().filter_map(|item| item.file.file.queue()).collect();
    match block_on_queues(&queues, deadline, || look().ok_or(Errno::EAGAIN)) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::EAGAIN) => Ok(None),
        Err(Errno::ERESTARTSYS) => Err(Errno::EINTR),
        Err(e) => Err(e),
    }
}
