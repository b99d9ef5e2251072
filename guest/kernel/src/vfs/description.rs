//! Open file descriptions: what descriptors made by dup(2) share.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::Errno;
use linux_abi::fs::{
    IN_ACCESS, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_MODIFY, O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY,
};

use crate::mem::{Sink, Source};
use crate::sync::{Mutex, mutex};
use crate::vfs::{Attributes, File, FileMapping, Place, epoll, inotify};
use crate::wait::block_on;

/// An open file description (open(2)).
pub(crate) struct OpenFile {
    /// The object.
    pub(crate) file: Arc<dyn File>,
    /// The access mode and the status flags (`O_*`), as fcntl(F_GETFL) gives them.
    pub(crate) flags: AtomicU32,
    /// The position.
    pub(crate) offset: Mutex<u64>,
    /// The inode, if it lies in a file system.
    pub(crate) place: Option<Place>,
    /// The epoll instances that watch this description.
    pub(super) watches: Mutex<Vec<Weak<epoll::Watch>>>,
}

impl OpenFile {
    /// A description at position zero, of an object that no file system holds.
    pub(crate) fn new(file: Arc<dyn File>, flags: u32) -> Arc<Self> {
        Self::build(file, flags, None)
    }

    /// A description of a file that was found at a place.
    pub(crate) fn at(place: Place, file: Arc<dyn File>, flags: u32) -> Arc<Self> {
        Self::build(file, flags, Some(place))
    }

    fn build(file: Arc<dyn File>, flags: u32, place: Option<Place>) -> Arc<Self> {
        Arc::new(Self { file, flags: flags.into(), offset: mutex(0), place, watches: mutex(Vec::new()) })
    }

    /// The flags now.
    #[inline]
    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// Whether reads and writes give `EAGAIN` rather than wait.
    #[inline]
    pub(crate) fn nonblocking(&self) -> bool {
        self.flags() & O_NONBLOCK != 0
    }

    /// `EBADF` unless it is open for reading.
    #[inline]
    pub(crate) fn check_readable(&self) -> Result<(), Errno> {
        match self.flags() & (O_ACCMODE | O_PATH) {
            O_WRONLY | O_PATH.. => Err(Errno::EBADF),
            _ => Ok(()),
        }
    }

    /// `EBADF` unless it is open for writing.
    #[inline]
    pub(crate) fn check_writable(&self) -> Result<(), Errno> {
        match self.flags() & (O_ACCMODE | O_PATH) {
            O_RDONLY | O_PATH.. => Err(Errno::EBADF),
            _ => Ok(()),
        }
    }

    /// read(2): at the position, which moves on; waits unless it is non-blocking.
    pub(crate) fn read(&self, to: &mut Sink<'_>) -> Result<usize, Errno> {
        self.check_readable()?;
        if self.file.seekable() {
            let mut offset = self.offset.lock();
            let n = self.file.read(to, *offset)?;
            *offset += n as u64;
            self.tell(IN_ACCESS);
            return Ok(n);
        }
        self.waiting(self.nonblocking(), || self.file.read(to, 0))
    }

    /// write(2): at the position, or at the end with `O_APPEND`; waits until all is written unless it is non-blocking.
    pub(crate) fn write(&self, from: &mut Source<'_>) -> Result<usize, Errno> {
        self.check_writable()?;
        if self.file.seekable() {
            let mut offset = self.offset.lock();
            if self.flags() & O_APPEND != 0 {
                let (n, end) = self.file.append(from)?;
                *offset = end;
                self.tell(IN_MODIFY);
                return Ok(n);
            }
            let n = self.file.write(from, *offset)?;
            *offset += n as u64;
            self.tell(IN_MODIFY);
            return Ok(n);
        }
        self.write_stream(from, self.nonblocking())
    }

    /// A write to a stream takes everything before it returns, unless it is non-blocking or a signal comes (write(2)).
    pub(super) fn write_stream(&self, from: &mut Source<'_>, nonblocking: bool) -> Result<usize, Errno> {
        let mut total = 0;
        loop {
            match self.waiting(nonblocking, || self.file.write(from, 0)) {
                Ok(n) => total += n,
                Err(_) if total > 0 => return Ok(total),
                Err(e) => return Err(e),
            }
            if from.remaining() == 0 || nonblocking || self.file.queue().is_none() {
                return Ok(total);
            }
        }
    }

    /// pread(2).
    pub(crate) fn read_at(&self, to: &mut Sink<'_>, offset: u64) -> Result<usize, Errno> {
        self.check_readable()?;
        if !self.file.seekable() {
            return Err(Errno::ESPIPE);
        }
        self.file.read(to, offset)
    }

    /// pwrite(2). With `O_APPEND` Linux appends whatever the offset (pwrite(2), BUGS).
    pub(crate) fn write_at(&self, from: &mut Source<'_>, offset: u64) -> Result<usize, Errno> {
        self.check_writable()?;
        if !self.file.seekable() {
            return Err(Errno::ESPIPE);
        }
        let written = match self.flags() & O_APPEND != 0 {
            true => self.file.append(from).map(|(n, _)| n),
            false => self.file.write(from, offset),
        }?;
        self.tell(IN_MODIFY);
        Ok(written)
    }

    /// Tells who watches the file or its directory (inotify(7)).
    #[inline]
    pub(super) fn tell(&self, event: u32) {
        if inotify::active()
            && let Some(place) = &self.place
        {
            inotify::tell_place(place, event);
        }
    }

    /// Fills a buffer of the kernel from `offset` on; says how much there was. For the program loader.
    pub(crate) fn read_kernel(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let mut sink = Sink::kernel(buffer);
        while sink.remaining() > 0 {
            let at = offset + sink.done() as u64;
            if self.file.read(&mut sink, at)? == 0 {
                break;
            }
        }
        Ok(sink.done())
    }

    /// Runs `attempt`, again and again as the file becomes ready, until it gives something else than `EAGAIN`.
    #[inline]
    pub(crate) fn waiting<T>(
        &self,
        nonblocking: bool,
        mut attempt: impl FnMut() -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        match self.file.queue() {
            Some(queue) if !nonblocking => block_on(queue, None, attempt),
            _ => attempt(),
        }
    }

    /// What fstat(2) tells.
    pub(crate) fn attributes(&self) -> Result<Attributes, Errno> {
        match &self.place {
            Some(place) => place.inode.attributes(),
            None => self.file.attributes(),
        }
    }

    /// The path by which it was opened, as `/proc/self/fd` shows it.
    pub(crate) fn path(&self) -> Vec<u8> {
        match &self.place {
            Some(place) => super::path::path_of(place),
            None => self.file.describe(),
        }
    }

    /// What a memory mapping of it shows (mmap(2)).
    pub(crate) fn mapping(&self) -> Result<FileMapping, Errno> {
        self.file.mapping()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        for watch in core::mem::take(self.watches.get_mut()) {
            epoll::forget(&watch, self);
        }
        super::lock::release_description(self);
        match self.flags() {
            flags if flags & O_PATH != 0 => {}
            flags if flags & O_ACCMODE == O_RDONLY => self.tell(IN_CLOSE_NOWRITE),
            _ => self.tell(IN_CLOSE_WRITE),
        }
        self.file.closed();
    }
}
