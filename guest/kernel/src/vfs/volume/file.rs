use alloc::sync::Arc;
use alloc::vec;
use core::any::Any;

use linux_abi::fs::O_APPEND;
use linux_abi::{Errno, nr};

use super::host::{Handle, address, address_mut};
use super::inode::HostInode;
use crate::mem::{Sink, Source};
use crate::vfs::{Attributes, File, FileMapping, Inode, Kind};

/// How much moves at once.
const CHUNK: usize = 128 << 10;

/// An opened file of a volume.
pub(super) struct HostFile {
    handle: Handle,
    inode: Arc<HostInode>,
    /// The host appends by itself.
    appends: bool,
}

impl HostFile {
    pub(super) fn new(handle: Handle, inode: Arc<HostInode>, flags: u32) -> Self {
        Self { handle, inode, appends: flags & O_APPEND != 0 }
    }

    /// Writes all that is left of the source at `offset`.
    fn write_from(&self, from: &mut Source<'_>, offset: u64) -> Result<usize, Errno> {
        let mut buffer = vec![0; CHUNK.min(from.remaining())];
        let mut done = 0;
        while from.remaining() > 0 {
            let taken = match from.take(&mut buffer) {
                Ok(taken) => taken,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            let at = offset + done as u64;
            let written = match self.handle.call(nr::PWRITE64, [address(&buffer), taken as u64, at, 0, 0]) {
                Ok(written) => written as usize,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            done += written;
            if written < taken {
                from.give_back(taken - written);
                break;
            }
        }
        Ok(done)
    }
}

impl File for HostFile {
    fn read(&self, to: &mut Sink<'_>, offset: u64) -> Result<usize, Errno> {
        if self.inode.kind() == Kind::Directory {
            return Err(Errno::EISDIR);
        }
        let mut buffer = vec![0; CHUNK.min(to.remaining())];
        let mut done = 0;
        while to.remaining() > 0 {
            let want = buffer.len().min(to.remaining()) as u64;
            let at = offset + done as u64;
            let n = match self.handle.call(nr::PREAD64, [address_mut(&mut buffer), want, at, 0, 0]) {
                Ok(n) => n as usize,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            let bytes = core::hint::black_box(&buffer).get(..n).ok_or(Errno::EIO)?;
            let put = match to.put(bytes) {
                Ok(put) => put,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            done += put;
            if put < want as usize {
                break;
            }
        }
        Ok(done)
    }

    fn write(&self, from: &mut Source<'_>, offset: u64) -> Result<usize, Errno> {
        self.write_from(from, offset)
    }

    fn append(&self, from: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        let end = self.handle.stat()?.st_size as u64;
        let n = self.write_from(from, end)?;
        // Others may have appended in between; then the host put ours behind theirs.
        let end = if self.appends { self.handle.stat()?.st_size as u64 } else { end + n as u64 };
        Ok((n, end))
    }

    fn seekable(&self) -> bool {
        true
    }

    fn pollable(&self) -> bool {
        false
    }

    fn attributes(&self) -> Result<Attributes, Errno> {
        self.inode.attributes()
    }

    fn mapping(&self) -> Result<FileMapping, Errno> {
        match self.inode.kind() {
            Kind::Regular => Ok(FileMapping::Host { handle: self.handle.number() }),
            _ => Err(Errno::ENODEV),
        }
    }

    fn allocate(&self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        self.handle.call(nr::FALLOCATE, [mode.into(), offset, len, 0, 0]).map(|_| ())
    }

    fn seek_data(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        const SEEK_DATA: u64 = 3;
        const SEEK_HOLE: u64 = 4;
        self.handle.call(nr::LSEEK, [offset, if data { SEEK_DATA } else { SEEK_HOLE }, 0, 0, 0])
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        let number = if data_only { nr::FDATASYNC } else { nr::FSYNC };
        self.handle.call(number, [0; 5]).map(|_| ())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
