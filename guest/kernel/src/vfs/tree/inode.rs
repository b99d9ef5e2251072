//! What a [`Node`] offers to the rest of the kernel.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use linux_abi::Errno;
use linux_abi::fs::{
    F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE, O_ACCMODE, O_RDONLY,
};

use super::Node;
use super::content::{Content, State};
use super::data::Data;
use crate::mem::{Sink, Source};
use crate::vfs::file::Events;
use crate::vfs::{
    Attributes, Changes, DirEntry, File, FileMapping, FsStats, Inode, Kind, NewNode, RenameMode, Timestamp,
};

/// The largest file.
const MAX_SIZE: u64 = i64::MAX as u64;

fn node_of(inode: &Arc<dyn Inode>) -> Result<Arc<Node>, Errno> {
    let any: Arc<dyn Any + Send + Sync> = inode.clone().into_any();
    any.downcast::<Node>().map_err(|_| Errno::EXDEV)
}

fn data(state: &mut State) -> Result<&mut Data, Errno> {
    match &mut state.content {
        Content::Regular(data) => Ok(data),
        Content::Directory(_) => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

impl Inode for Node {
    fn attributes(&self) -> Result<Attributes, Errno> {
        Ok(self.describe())
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn open(self: Arc<Self>, flags: u32) -> Result<Arc<dyn File>, Errno> {
        match self.kind {
            Kind::Regular if flags & O_ACCMODE != O_RDONLY => self.keep(),
            Kind::Regular | Kind::Directory => {}
            Kind::Fifo => return crate::vfs::pipe::open_fifo(&self.pipe(), flags),
            Kind::CharDevice => return crate::vfs::dev::open(self.rdev()),
            Kind::BlockDevice | Kind::Socket => return Err(Errno::ENXIO),
            Kind::Symlink => return Err(Errno::ELOOP),
        }
        Ok(self)
    }

    fn read_only(&self) -> bool {
        self.tree.read_only
    }

    fn change(self: Arc<Self>, changes: &Changes) -> Result<(), Errno> {
        self.tree.check_writable()?;
        self.keep();
        let mut state = self.state();
        if let Some(size) = changes.size {
            state.check_resize(size)?;
            data(&mut state)?.truncate(size)?;
            state.mtime = Timestamp::now();
        }
        let state = &mut *state;
        state.mode = changes.mode.unwrap_or(state.mode);
        state.uid = changes.uid.unwrap_or(state.uid);
        state.gid = changes.gid.unwrap_or(state.gid);
        state.atime = changes.atime.unwrap_or(state.atime);
        state.mtime = changes.mtime.unwrap_or(state.mtime);
        state.ctime = Timestamp::now();
        Ok(())
    }

    fn lookup(self: Arc<Self>, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Ok(self.find(name)?)
    }

    fn parent(&self) -> Option<Arc<dyn Inode>> {
        self.above().map(|node| node as Arc<dyn Inode>)
    }

    fn name(&self) -> Vec<u8> {
        self.place().map(|(name, _)| name.to_vec()).unwrap_or_default()
    }

    fn removed(&self) -> bool {
        match self.kind {
            Kind::Directory => self.place().is_some_and(|(_, removed)| removed),
            _ => self.state().nlink == 0,
        }
    }

    fn list(&self, position: u64, emit: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<(), Errno> {
        self.enumerate(position, emit)
    }

    fn create(self: Arc<Self>, name: &[u8], new: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        Ok(self.add(name, new)?)
    }

    fn create_unnamed(self: Arc<Self>, new: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        Ok(self.tree.unnamed(new)?)
    }

    fn link(self: Arc<Self>, name: &[u8], target: &Arc<dyn Inode>) -> Result<(), Errno> {
        let target = node_of(target)?;
        match core::ptr::eq(self.tree, target.tree) {
            true => self.add_link(name, &target),
            false => Err(Errno::EXDEV),
        }
    }

    fn remove(self: Arc<Self>, name: &[u8], directory: bool) -> Result<(), Errno> {
        self.delete(name, directory)
    }

    fn rename(self: Arc<Self>, old: &[u8], to: &Arc<dyn Inode>, new: &[u8], mode: RenameMode) -> Result<(), Errno> {
        let to = node_of(to)?;
        match core::ptr::eq(self.tree, to.tree) {
            true => self.move_to(old, &to, new, mode),
            false => Err(Errno::EXDEV),
        }
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        match &self.state().content {
            Content::Symlink(target) => Ok(target.to_vec()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn get_xattr(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.with_xattrs(|xattrs| xattrs.get(name).map(|value| value.to_vec()))?.ok_or(Errno::ENODATA)
    }

    fn set_xattr(self: Arc<Self>, name: &[u8], value: &[u8], create: bool, replace: bool) -> Result<(), Errno> {
        self.edit_xattrs(|xattrs| match xattrs.contains_key(name) {
            true if create => Err(Errno::EEXIST),
            false if replace => Err(Errno::ENODATA),
            _ => {
                xattrs.insert(name.to_vec(), value.into());
                Ok(())
            }
        })
    }

    fn remove_xattr(self: Arc<Self>, name: &[u8]) -> Result<(), Errno> {
        self.edit_xattrs(|xattrs| xattrs.remove(name).map(|_| ()).ok_or(Errno::ENODATA))
    }

    fn list_xattrs(&self) -> Result<Vec<u8>, Errno> {
        self.with_xattrs(|xattrs| xattrs.keys().flat_map(|name| name.iter().copied().chain([0])).collect())
    }

    fn socket(&self) -> Option<Weak<dyn Any + Send + Sync>> {
        match &self.state().content {
            Content::Socket(socket) => socket.clone(),
            _ => None,
        }
    }

    fn set_socket(&self, socket: Weak<dyn Any + Send + Sync>) {
        self.state().content = Content::Socket(Some(socket));
    }

    fn stats(&self) -> Result<FsStats, Errno> {
        Ok(self.tree.stats())
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Node {
    /// The pipe behind a FIFO; there is one as long as somebody has it open.
    fn pipe(&self) -> Arc<crate::vfs::pipe::Pipe> {
        let mut state = self.state();
        if let Content::Fifo(weak) = &state.content
            && let Some(pipe) = weak.upgrade()
        {
            return pipe;
        }
        let pipe = crate::vfs::pipe::Pipe::new();
        state.content = Content::Fifo(Arc::downgrade(&pipe));
        pipe
    }

    /// The seals of a memfd (fcntl(2), F_GET_SEALS).
    pub(crate) fn seals(&self) -> u32 {
        self.state().seals
    }

    /// Whether it was made by memfd_create(2).
    pub(crate) fn is_sealable(&self) -> bool {
        self.tree.sealable()
    }

    /// Sets the permission bits, even if the tree is read-only.
    pub(crate) fn set_mode(&self, mode: u32) {
        self.state().mode = mode;
    }

    /// Sets the seals that the file has from its making, or adds some.
    pub(crate) fn add_seals(&self, seals: u32) {
        self.state().seals |= seals;
    }
}

impl State {
    fn check_resize(&mut self, size: u64) -> Result<(), Errno> {
        let seals = self.seals;
        let now = data(self)?.size;
        let forbidden = match size.cmp(&now) {
            core::cmp::Ordering::Less => F_SEAL_SHRINK,
            core::cmp::Ordering::Equal => 0,
            core::cmp::Ordering::Greater => F_SEAL_GROW,
        };
        if seals & forbidden != 0 {
            return Err(Errno::EPERM);
        }
        if size > MAX_SIZE { Err(Errno::EFBIG) } else { Ok(()) }
    }

    fn check_write(&mut self, end: u64) -> Result<(), Errno> {
        if self.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
            return Err(Errno::EPERM);
        }
        let grows = data(self)?.size < end;
        if grows { self.check_resize(end) } else { Ok(()) }
    }
}

impl File for Node {
    fn read(&self, to: &mut Sink<'_>, offset: u64) -> Result<usize, Errno> {
        data(&mut self.state())?.read(to, offset)
    }

    fn write(&self, from: &mut Source<'_>, offset: u64) -> Result<usize, Errno> {
        let end = offset.checked_add(from.remaining() as u64).filter(|end| *end <= MAX_SIZE).ok_or(Errno::EFBIG)?;
        let mut state = self.state();
        state.check_write(end)?;
        let written = data(&mut state)?.write(from, offset)?;
        state.touch();
        Ok(written)
    }

    fn append(&self, from: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        let mut state = self.state();
        let offset = data(&mut state)?.size;
        let end = offset.checked_add(from.remaining() as u64).filter(|end| *end <= MAX_SIZE).ok_or(Errno::EFBIG)?;
        state.check_write(end)?;
        let written = data(&mut state)?.write(from, offset)?;
        state.touch();
        Ok((written, offset + written as u64))
    }

    fn seekable(&self) -> bool {
        true
    }

    fn poll(&self) -> Events {
        Events::IN | Events::OUT
    }

    fn pollable(&self) -> bool {
        false
    }

    fn attributes(&self) -> Result<Attributes, Errno> {
        Ok(self.describe())
    }

    fn mapping(&self) -> Result<FileMapping, Errno> {
        self.extent()
    }

    fn allocate(&self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        let end = offset.checked_add(len).filter(|end| *end <= MAX_SIZE).ok_or(Errno::EFBIG)?;
        let mut state = self.state();
        state.check_write(if mode & FALLOC_FL_KEEP_SIZE == 0 { end } else { 0 })?;
        let data = data(&mut state)?;
        match mode & !FALLOC_FL_KEEP_SIZE {
            0 => data.reserve(offset, len)?,
            FALLOC_FL_PUNCH_HOLE if mode & FALLOC_FL_KEEP_SIZE != 0 => data.punch(offset, len)?,
            FALLOC_FL_ZERO_RANGE => data.punch(offset, len)?,
            _ => return Err(Errno::EOPNOTSUPP),
        }
        if mode & FALLOC_FL_KEEP_SIZE == 0 {
            data.size = data.size.max(end);
        }
        state.touch();
        Ok(())
    }

    fn seek_data(&self, offset: u64, want_data: bool) -> Result<u64, Errno> {
        data(&mut self.state())?.seek(offset, want_data)
    }

    fn sync(&self, _data_only: bool) -> Result<(), Errno> {
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
