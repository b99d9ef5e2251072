use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering;

use linux_abi::Errno;

use super::Tree;
use super::content::{Content, State};
use super::data::Data;
use super::directory::Directory;
use crate::sync::{Mutex, MutexGuard, mutex};
use crate::vfs::erofs;
use crate::vfs::{Attributes, FileMapping, Kind, NewNode, Timestamp};

/// An inode of a [`Tree`]; also what descriptions of it refer to, since it has no state for each opening.
pub(crate) struct Node {
    pub(super) tree: &'static Tree,
    pub(super) ino: u64,
    pub(super) kind: Kind,
    rdev: u64,
    /// Its twin in the image.
    pub(super) lower: Option<erofs::Inode>,
    born: Timestamp,
    pub(super) state: Mutex<State>,
}

impl Node {
    /// An inode as it is in the image.
    pub(super) fn lower(
        tree: &'static Tree,
        inode: erofs::Inode,
        parent: Option<&Arc<Self>>,
        name: &[u8],
    ) -> Result<Arc<Self>, Errno> {
        let image = tree.image.ok_or(Errno::EUCLEAN)?;
        let content = match inode.kind {
            Kind::Regular => Content::Regular(Data::of_image(image, inode)),
            Kind::Directory => Content::Directory(Directory::new(Some(inode), parent.cloned(), name)),
            Kind::Symlink => Content::Symlink(image.data(&inode, 0)?.into()),
            Kind::Fifo => Content::Fifo(Weak::new()),
            Kind::Socket => Content::Socket(None),
            Kind::CharDevice | Kind::BlockDevice => Content::Device,
        };
        let state = State {
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            nlink: inode.nlink,
            atime: inode.mtime,
            mtime: inode.mtime,
            ctime: inode.mtime,
            content,
            xattrs: None,
            seals: 0,
        };
        let (ino, kind, rdev) = (inode.nid.0, inode.kind, inode.rdev.into());
        Ok(Arc::new(Self { tree, ino, kind, rdev, lower: Some(inode), born: inode.mtime, state: mutex(state) }))
    }

    /// A new inode; a directory gets its place.
    pub(super) fn fresh(tree: &'static Tree, new: &NewNode<'_>, place: Option<(&Arc<Self>, &[u8])>) -> Arc<Self> {
        let now = Timestamp::now();
        let content = match new.kind {
            Kind::Regular => Content::Regular(Data::default()),
            Kind::Directory => Content::Directory(Directory::new(
                None,
                place.map(|(parent, _)| parent.clone()),
                place.map_or(b"", |(_, name)| name),
            )),
            Kind::Symlink => Content::Symlink(new.target.into()),
            Kind::Fifo => Content::Fifo(Weak::new()),
            Kind::Socket => Content::Socket(None),
            Kind::CharDevice | Kind::BlockDevice => Content::Device,
        };
        let state = State {
            mode: new.mode & 0o7777,
            uid: new.uid,
            gid: new.gid,
            nlink: if new.kind == Kind::Directory { 2 } else { 1 },
            atime: now,
            mtime: now,
            ctime: now,
            content,
            xattrs: None,
            seals: 0,
        };
        let ino = tree.new_ino();
        Arc::new(Self { tree, ino, kind: new.kind, rdev: new.rdev, lower: None, born: now, state: mutex(state) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// To be called before an inode of the image is changed: from then on it stays in memory.
    pub(super) fn keep(self: &Arc<Self>) {
        // One without a name cannot be found again anyway.
        if let Some(lower) = self.lower.as_ref().filter(|_| self.state().nlink > 0) {
            self.tree.keep(lower.nid, self);
        }
    }

    /// One name fewer leads here.
    pub(super) fn unlinked(self: &Arc<Self>) {
        let left = {
            let mut state = self.state();
            state.nlink = if self.kind == Kind::Directory { 0 } else { state.nlink.saturating_sub(1) };
            state.ctime = Timestamp::now();
            state.nlink
        };
        match (&self.lower, left) {
            (Some(lower), 0) => self.tree.let_go(lower.nid),
            (Some(_), _) => self.keep(),
            (None, 0) => {
                self.tree.inodes.fetch_sub(1, Ordering::Relaxed);
            }
            (None, _) => {}
        }
    }

    /// What stat(2) tells.
    pub(super) fn describe(&self) -> Attributes {
        let state = self.state();
        let (size, blocks) = match &state.content {
            Content::Regular(data) => (data.size, data.blocks()),
            Content::Directory(directory) => (directory.size(), 8),
            Content::Symlink(target) => (target.len() as u64, 0),
            _ => (0, 0),
        };
        Attributes {
            dev: self.tree.device,
            ino: self.ino,
            kind: self.kind,
            mode: state.mode,
            nlink: state.nlink,
            uid: state.uid,
            gid: state.gid,
            rdev: self.rdev,
            size,
            blocks,
            atime: state.atime,
            mtime: state.mtime,
            ctime: state.ctime,
            btime: self.born,
        }
    }

    /// What a mapping of a regular file shows.
    pub(super) fn extent(&self) -> Result<FileMapping, Errno> {
        let state = self.state();
        let Content::Regular(data) = &state.content else { return Err(Errno::ENODEV) };
        let lower = data.as_in_image().and_then(|lower| lower.image.extent(&lower.inode));
        Ok(lower.map_or(FileMapping::Memory, |(offset, len)| FileMapping::Image { offset, len }))
    }

    /// The device number of a device node.
    pub(super) fn rdev(&self) -> u64 {
        self.rdev
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(lower) = &self.lower {
            self.tree.dropped(lower.nid, self);
        }
    }
}
