//! The names of a directory: those of the image, less those removed, and those added.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::Node;
use crate::vfs::erofs;

/// What a directory in memory knows of a name.
pub(super) enum Name {
    /// It was removed; the image has it.
    Gone,
    /// It was added, as the n-th addition to this directory.
    Added(Arc<Node>, u64),
}

/// Where listings of added names begin; those of the image count from 2.
pub(super) const ADDED: u64 = 1 << 40;

/// The changing part of a directory.
pub(super) struct Directory {
    /// The directory in the image.
    pub(super) lower: Option<erofs::Inode>,
    /// What differs from the image.
    pub(super) names: BTreeMap<Arc<[u8]>, Name>,
    /// Added names in the order of their addition, so that a listing never shows one twice or misses an old one.
    pub(super) order: BTreeMap<u64, Arc<[u8]>>,
    next: u64,
    /// The directory above; `None` for the root. Alive as long as this one, so there is a cycle of references as long as
    /// the name exists.
    pub(super) parent: Option<Arc<Node>>,
    /// The name there.
    pub(super) name: Arc<[u8]>,
    pub(super) removed: bool,
}

impl Directory {
    pub(super) fn new(lower: Option<erofs::Inode>, parent: Option<Arc<Node>>, name: &[u8]) -> Self {
        Self {
            lower,
            names: BTreeMap::new(),
            order: BTreeMap::new(),
            next: 0,
            parent,
            name: name.into(),
            removed: false,
        }
    }

    /// Adds a name, or gives it another meaning.
    pub(super) fn add(&mut self, name: &[u8], node: Arc<Node>) {
        self.take_out(name);
        let name: Arc<[u8]> = name.into();
        self.order.insert(self.next, name.clone());
        self.names.insert(name, Name::Added(node, self.next));
        self.next += 1;
    }

    /// Removes a name. `in_image`: the image has it.
    pub(super) fn delete(&mut self, name: &[u8], in_image: bool) {
        self.take_out(name);
        if in_image {
            self.names.insert(name.into(), Name::Gone);
        }
    }

    fn take_out(&mut self, name: &[u8]) {
        if let Some(Name::Added(_, at)) = self.names.remove(name) {
            self.order.remove(&at);
        }
    }

    /// `st_size`.
    pub(super) fn size(&self) -> u64 {
        self.lower.as_ref().map_or(4096, |lower| lower.size)
    }
}
