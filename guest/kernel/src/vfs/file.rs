//! The object behind a descriptor.

use alloc::vec::Vec;
use core::any::Any;

use bitflags::bitflags;
use linux_abi::Errno;
use platform::UserAddr;

use crate::mem::{Sink, Source};
use crate::vfs::{Attributes, FileMapping, Kind};
use crate::wait::WaitQueue;

/// The device number of objects that no file system holds.
pub(crate) const ANONYMOUS_DEVICE: u64 = 0xf;

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

    /// Whether epoll(7) can watch it; `EPERM` otherwise.
    fn pollable(&self) -> bool {
        true
    }

    /// Appends (`O_APPEND`); gives the number of bytes and the position behind them.
    fn append(&self, from: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        let end = self.attributes()?.size;
        self.write(from, end).map(|n| (n, end + n as u64))
    }

    /// ioctl(2). `ENOTTY` for what it does not know. (`FIONBIO`, `FIOCLEX` and `FIONCLEX` never come here.)
    fn ioctl(&self, _request: u32, _argument: UserAddr) -> Result<i64, Errno> {
        Err(Errno::ENOTTY)
    }

    /// What fstat(2) tells of an object that no file system holds.
    fn attributes(&self) -> Result<Attributes, Errno> {
        Ok(Attributes::synthetic(ANONYMOUS_DEVICE, 1, Kind::Regular, 0o600))
    }

    /// What `/proc/self/fd` shows for an object that no file system holds: `pipe:[7]`, `anon_inode:[eventpoll]`.
    fn describe(&self) -> Vec<u8> {
        b"anon_inode:[file]".to_vec()
    }

    /// Lines of `/proc/self/fdinfo` beyond position and flags.
    fn details(&self) -> Vec<u8> {
        Vec::new()
    }

    /// What a memory mapping of it shows; `ENODEV` for what cannot be mapped.
    fn mapping(&self) -> Result<FileMapping, Errno> {
        Err(Errno::ENODEV)
    }

    /// fallocate(2); `mode` is its `FALLOC_FL_*`.
    fn allocate(&self, _mode: u32, _offset: u64, _len: u64) -> Result<(), Errno> {
        Err(Errno::ENODEV)
    }

    /// Where data (or else a hole) begins at or behind `offset` (lseek(2), `SEEK_DATA`, `SEEK_HOLE`); `ENXIO` behind the end.
    fn seek_data(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        let size = self.attributes()?.size;
        match offset < size {
            true => Ok(if data { offset } else { size }),
            false => Err(Errno::ENXIO),
        }
    }

    /// fsync(2), or fdatasync(2) if `data_only`.
    fn sync(&self, _data_only: bool) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// A description with these `O_*` flags was made or its flags changed (sockets and pipes count their ends elsewhere).
    fn flags_changed(&self, _flags: u32) {}

    /// The last description was closed.
    fn closed(&self) {}

    /// For those who need to know the kind (sockets, epoll, directories): downcast this.
    fn as_any(&self) -> &dyn Any;
}
