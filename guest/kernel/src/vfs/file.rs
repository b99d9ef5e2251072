//! The object behind a descriptor.

use alloc::sync::Arc;
use core::any::Any;

use bitflags::bitflags;
use linux_abi::Errno;
use platform::UserAddr;

use crate::mem::{Sink, Source};
use crate::sync::Mutex;
use crate::wait::WaitQueue;

bitflags! {
    /// What a file is ready for: the `POLL*`/`EPOLL*` bits of `include/uapi/linux/eventpoll.h`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Events: u32 {
        /// Data to read, or a connection to accept, or end of file.
        const IN = 0x1;
        /// Urgent data.
        const PRI = 0x2;
        /// Room to write.
        const OUT = 0x4;
        /// Error; always reported.
        const ERR = 0x8;
        /// Hang-up; always reported.
        const HUP = 0x10;
        /// The peer shut down its writing half.
        const RDHUP = 0x2000;
    }
}

/// What every kind of file offers; what a kind does not have answers as Linux does.
///
/// `read` and `write` never wait: they give `EAGAIN`, and the caller waits on [`File::queue`] by the contract of
/// [`crate::wait`] unless the description is non-blocking.
pub(crate) trait File: Any + Send + Sync {
    /// Reads from the stream, or at `offset` if the file has positions.
    fn read(&self, _to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Writes to the stream, or at `offset` if the file has positions.
    fn write(&self, _from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Whether the file has positions (lseek(2), pread(2)); `ESPIPE` otherwise.
    fn seekable(&self) -> bool {
        false
    }

    /// What it is ready for now. Files that never wait are always ready.
    fn poll(&self) -> Events {
        Events::IN | Events::OUT
    }

    /// Who waits for it to become ready; `None` if it always is.
    fn queue(&self) -> Option<&WaitQueue> {
        None
    }

    /// ioctl(2). `ENOTTY` for what it does not know.
    fn ioctl(&self, _request: u32, _argument: UserAddr) -> Result<i64, Errno> {
        Err(Errno::ENOTTY)
    }

    /// The last description was closed.
    fn closed(&self) {}

    /// For those who need to know the kind (sockets, epoll, directories): downcast this.
    fn as_any(&self) -> &dyn Any;
}

/// An open file description (open(2)): what descriptors made by dup(2) share.
pub(crate) struct OpenFile {
    /// The object.
    pub(crate) file: Arc<dyn File>,
    /// The access mode and the status flags (`O_*`), as fcntl(F_GETFL) gives them.
    pub(crate) flags: core::sync::atomic::AtomicU32,
    /// The position.
    pub(crate) offset: Mutex<u64>,
}

impl OpenFile {
    /// A description at position zero.
    pub(crate) fn new(file: Arc<dyn File>, flags: u32) -> Arc<Self> {
        Arc::new(Self { file, flags: flags.into(), offset: crate::sync::mutex(0) })
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.file.closed();
    }
}
