use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use super::data::Data;
use super::directory::Directory;
use crate::vfs::Timestamp;
use crate::vfs::pipe::Pipe;

/// What is particular to a type of file.
pub(super) enum Content {
    Regular(Data),
    Directory(Directory),
    Symlink(Box<[u8]>),
    /// Contents are made when it is opened.
    Fifo(Weak<Pipe>),
    /// Leads to a socket as long as that lives.
    Socket(Option<Weak<dyn Any + Send + Sync>>),
    /// The device number says it all.
    Device,
}

/// The changing part of an inode.
pub(super) struct State {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) nlink: u32,
    pub(super) atime: Timestamp,
    pub(super) mtime: Timestamp,
    pub(super) ctime: Timestamp,
    pub(super) content: Content,
    /// `None`: as in the image.
    pub(super) xattrs: Option<BTreeMap<Vec<u8>, Arc<[u8]>>>,
    /// `F_SEAL_*` of memfd_create(2).
    pub(super) seals: u32,
}

impl State {
    /// Contents changed now.
    pub(super) fn touch(&mut self) {
        let now = Timestamp::now();
        self.mtime = now;
        self.ctime = now;
    }
}
