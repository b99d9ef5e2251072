//! File trees in memory, over an image or over nothing.
//!
//! The root file system is one tree whose lower layer is the EROFS image: an inode is made from the image when it is first
//! looked up, and only what is changed is kept in memory: names in the directory that they were added to or removed from, and
//! file contents page by page. Unlike an overlay of two file systems nothing is copied up as a whole, inode numbers never
//! change and hard links stay together. A tree without a lower layer is a tmpfs.
//!
//! Lock order: `Tree::structure` (held by whoever changes names), then one `Node::state` at a time, then `Tree::nodes`.

mod budget;
mod content;
mod data;
mod directory;
mod inode;
mod names;
mod node;
mod pages;
mod xattrs;

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use linux_abi::Errno;

use crate::sync::{Mutex, mutex};
use crate::vfs::erofs::{Image, Nid};
use crate::vfs::{FsStats, NewNode};

pub(crate) use budget::{set_limit, usage};
pub(crate) use node::Node;

/// How the table of inodes of the image refers to one.
enum Slot {
    /// In use, unchanged: it can be made again from the image.
    Unchanged(Weak<Node>),
    /// Changed: it must stay.
    Changed(Arc<Node>),
}

/// The device number of the tree that holds the files of memfd_create(2).
pub(crate) const MEMFD_DEVICE: u64 = 1;

/// A file system in memory.
pub(crate) struct Tree {
    /// Its device number.
    device: u64,
    /// The lower layer.
    image: Option<Image<'static>>,
    /// Refuses changes.
    read_only: bool,
    /// `f_type` of statfs(2).
    magic: u64,
    /// The inodes of the image that are in use.
    nodes: Mutex<HashMap<u64, Slot>>,
    /// Held while names are changed.
    structure: Mutex<()>,
    next_ino: AtomicU64,
    inodes: AtomicU64,
}

impl Tree {
    /// A tree over an image.
    pub(crate) fn over(image: Image<'static>, device: u64, read_only: bool) -> Self {
        const OVERLAYFS: u64 = 0x794c_7630;
        // Numbers of new inodes lie behind all that the image can have.
        Self::build(Some(image), device, read_only, OVERLAYFS, image.len() / 32 + 1)
    }

    /// An empty tree.
    pub(crate) fn empty(device: u64) -> Self {
        const TMPFS: u64 = 0x0102_1994;
        Self::build(None, device, false, TMPFS, 1)
    }

    /// An empty tree that only the kernel fills, for /sys.
    pub(crate) fn read_only(device: u64) -> Self {
        const SYSFS: u64 = 0x6265_6572;
        Self::build(None, device, true, SYSFS, 1)
    }

    fn build(image: Option<Image<'static>>, device: u64, read_only: bool, magic: u64, next_ino: u64) -> Self {
        Self {
            device,
            image,
            read_only,
            magic,
            nodes: mutex(HashMap::new()),
            structure: mutex(()),
            next_ino: next_ino.into(),
            inodes: AtomicU64::new(0),
        }
    }

    /// The root directory. A tree lives as long as the kernel.
    pub(crate) fn root(&'static self) -> Result<Arc<Node>, Errno> {
        match &self.image {
            Some(image) => self.image_node(image.root(), None, b""),
            None => Ok(Node::fresh(
                self,
                &NewNode { kind: super::Kind::Directory, mode: 0o1777, uid: 0, gid: 0, rdev: 0, target: b"" },
                None,
            )),
        }
    }

    /// The inode of the image with this number, found as `name` in `parent`.
    fn image_node(&'static self, nid: Nid, parent: Option<&Arc<Node>>, name: &[u8]) -> Result<Arc<Node>, Errno> {
        let image = self.image.as_ref().ok_or(Errno::EUCLEAN)?;
        if let Some(node) = self.known(nid) {
            return Ok(node);
        }
        let node = Node::lower(self, image.inode(nid)?, parent, name)?;
        let mut nodes = self.nodes.lock();
        // Another thread may have been faster. Its node counts; ours is dropped after the lock.
        let other = match nodes.get(&nid.0) {
            Some(Slot::Unchanged(weak)) => weak.upgrade(),
            Some(Slot::Changed(node)) => Some(node.clone()),
            None => None,
        };
        if let Some(other) = other {
            drop(nodes);
            return Ok(other);
        }
        nodes.insert(nid.0, Slot::Unchanged(Arc::downgrade(&node)));
        Ok(node)
    }

    fn known(&self, nid: Nid) -> Option<Arc<Node>> {
        match self.nodes.lock().get(&nid.0)? {
            Slot::Unchanged(weak) => weak.upgrade(),
            Slot::Changed(node) => Some(node.clone()),
        }
    }

    /// Keeps an inode of the image in memory, since it is about to differ from the image.
    fn keep(&self, nid: Nid, node: &Arc<Node>) {
        let old = self.nodes.lock().insert(nid.0, Slot::Changed(node.clone()));
        drop(old);
    }

    /// Lets an inode of the image go that no name leads to any more.
    fn let_go(&self, nid: Nid) {
        let old = self.nodes.lock().remove(&nid.0);
        drop(old);
    }

    /// The node is being dropped.
    fn dropped(&self, nid: Nid, node: *const Node) {
        let mut nodes = self.nodes.lock();
        // A new node for the same inode may have taken the place already.
        if matches!(nodes.get(&nid.0), Some(Slot::Unchanged(weak)) if core::ptr::eq(weak.as_ptr(), node)) {
            nodes.remove(&nid.0);
        }
    }

    fn new_ino(&self) -> u64 {
        self.inodes.fetch_add(1, Ordering::Relaxed);
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }

    fn check_writable(&self) -> Result<(), Errno> {
        if self.read_only { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Whether it is the tree of memfd_create(2).
    fn sealable(&self) -> bool {
        self.device == MEMFD_DEVICE
    }

    fn stats(&self) -> FsStats {
        let (used, limit) = budget::usage();
        let lower = self.image.as_ref().map_or(0, |i| i.len() / 4096);
        let files = self.inodes.load(Ordering::Relaxed) + self.image.as_ref().map_or(0, Image::inodes);
        let free = limit.saturating_sub(used) / 4096;
        FsStats {
            magic: self.magic,
            blocks: lower + limit / 4096,
            free,
            files: files + free,
            files_free: free,
            read_only: self.read_only,
        }
    }
}

#[cfg(test)]
mod tests;
