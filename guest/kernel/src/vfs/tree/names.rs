//! Looking up, listing, adding, removing and moving names.

use alloc::sync::Arc;

use linux_abi::Errno;

use super::content::{Content, State};
use super::directory::{ADDED, Directory, Name};
use super::{Node, Tree};
use crate::vfs::{DirEntry, Kind, NewNode, RenameMode};

/// The directory part of a state.
fn directory(state: &mut State) -> Result<&mut Directory, Errno> {
    match &mut state.content {
        Content::Directory(directory) => Ok(directory),
        _ => Err(Errno::ENOTDIR),
    }
}

impl Node {
    /// The entry of that name.
    pub(super) fn find(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Self>, Errno> {
        let lower = {
            let mut state = self.state();
            let directory = directory(&mut state)?;
            match directory.names.get(name) {
                Some(Name::Added(node, _)) => return Ok(node.clone()),
                Some(Name::Gone) => return Err(Errno::ENOENT),
                None => directory.lower.ok_or(Errno::ENOENT)?,
            }
        };
        let image = self.tree.image.as_ref().ok_or(Errno::EUCLEAN)?;
        let nid = image.lookup(&lower, name)?.ok_or(Errno::ENOENT)?;
        self.tree.image_node(nid, Some(self), name)
    }

    /// The entry of that name, for the kernel's own needs.
    pub(crate) fn child(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Self>, Errno> {
        self.find(name)
    }

    fn in_image(&self, name: &[u8]) -> Result<bool, Errno> {
        let lower = directory(&mut self.state())?.lower;
        match (lower, &self.tree.image) {
            (Some(lower), Some(image)) => Ok(image.lookup(&lower, name)?.is_some()),
            _ => Ok(false),
        }
    }

    /// Whether it has no entries.
    fn is_empty(self: &Arc<Self>) -> Result<bool, Errno> {
        let mut empty = true;
        self.enumerate(2, &mut |_| {
            empty = false;
            false
        })?;
        Ok(empty)
    }

    /// Lists the entries behind `position`: 0 and 1 are `.` and `..`, then come those of the image, then those added.
    pub(super) fn enumerate(&self, position: u64, emit: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<(), Errno> {
        let mut state = self.state();
        let directory = directory(&mut state)?;
        let parent = directory.parent.as_ref().map_or(self.ino, |parent| parent.ino);
        for (at, name, ino) in [(0, &b"."[..], self.ino), (1, b"..", parent)] {
            let entry = DirEntry { name, ino, kind: Kind::Directory, next: at + 1 };
            if position <= at && !emit(&entry) {
                return Ok(());
            }
        }
        if let (Some(lower), Some(image), true) = (&directory.lower, &self.tree.image, position < ADDED) {
            let mut more = true;
            image.entries(lower, position.saturating_sub(2), &mut |entry| {
                if entry.name == b"." || entry.name == b".." || directory.names.contains_key(entry.name) {
                    return true;
                }
                let next = entry.index + 3;
                more = emit(&DirEntry { name: entry.name, ino: entry.nid.0, kind: entry.kind, next });
                more
            })?;
            if !more {
                return Ok(());
            }
        }
        for (at, name) in directory.order.range(position.saturating_sub(ADDED)..) {
            let Some(Name::Added(node, _)) = directory.names.get(name) else { continue };
            if !emit(&DirEntry { name, ino: node.ino, kind: node.kind, next: ADDED + at + 1 }) {
                break;
            }
        }
        Ok(())
    }

    /// Changes the names of this directory; `ENOENT` if it was removed.
    fn edit(self: &Arc<Self>, change: impl FnOnce(&mut Directory)) -> Result<(), Errno> {
        self.keep();
        let mut state = self.state();
        change(directory(&mut state)?);
        state.touch();
        Ok(())
    }

    fn check_live(&self) -> Result<(), Errno> {
        match directory(&mut self.state())?.removed {
            true => Err(Errno::ENOENT),
            false => Ok(()),
        }
    }

    fn count_subdirectory(&self, up: bool) {
        let mut state = self.state();
        state.nlink = if up { state.nlink + 1 } else { state.nlink.saturating_sub(1) };
    }

    fn check_absent(self: &Arc<Self>, name: &[u8]) -> Result<(), Errno> {
        match self.find(name) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Makes an entry.
    pub(super) fn add(self: &Arc<Self>, name: &[u8], new: &NewNode<'_>) -> Result<Arc<Self>, Errno> {
        self.tree.check_writable()?;
        self.add_unchecked(name, new)
    }

    /// Makes an entry, even if the tree is read-only: for what the kernel itself needs to be there.
    pub(crate) fn add_unchecked(self: &Arc<Self>, name: &[u8], new: &NewNode<'_>) -> Result<Arc<Self>, Errno> {
        let _structure = self.tree.structure.lock();
        self.check_live()?;
        self.check_absent(name)?;
        let node = Self::fresh(self.tree, new, Some((self, name)));
        self.edit(|directory| directory.add(name, node.clone()))?;
        if new.kind == Kind::Directory {
            self.count_subdirectory(true);
        }
        Ok(node)
    }

    /// Puts a new file in the place of whatever has the name, even if the tree is read-only.
    pub(crate) fn replace_unchecked(self: &Arc<Self>, name: &[u8], new: &NewNode<'_>) -> Result<Arc<Self>, Errno> {
        let _structure = self.tree.structure.lock();
        let node = Self::fresh(self.tree, new, Some((self, name)));
        self.edit(|directory| directory.add(name, node.clone()))?;
        Ok(node)
    }

    /// Makes another name for `target`.
    pub(super) fn add_link(self: &Arc<Self>, name: &[u8], target: &Arc<Self>) -> Result<(), Errno> {
        self.tree.check_writable()?;
        let _structure = self.tree.structure.lock();
        self.check_live()?;
        self.check_absent(name)?;
        target.keep();
        {
            let mut state = target.state();
            state.nlink = state.nlink.checked_add(1).ok_or(Errno::EMLINK)?;
            state.ctime = crate::vfs::Timestamp::now();
        }
        self.edit(|directory| directory.add(name, target.clone()))
    }

    /// Removes an entry.
    pub(super) fn delete(self: &Arc<Self>, name: &[u8], want_directory: bool) -> Result<(), Errno> {
        self.tree.check_writable()?;
        let _structure = self.tree.structure.lock();
        let node = self.find(name)?;
        match (node.kind == Kind::Directory, want_directory) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            (true, true) if !node.is_empty()? => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        let in_image = self.in_image(name)?;
        self.edit(|directory| directory.delete(name, in_image))?;
        self.discard(&node)
    }

    /// `node` lost its name in this directory.
    fn discard(&self, node: &Arc<Self>) -> Result<(), Errno> {
        if node.kind == Kind::Directory {
            directory(&mut node.state())?.removed = true;
            self.count_subdirectory(false);
        }
        node.unlinked();
        Ok(())
    }

    /// Moves an entry.
    pub(super) fn move_to(
        self: &Arc<Self>,
        old: &[u8],
        to: &Arc<Self>,
        new: &[u8],
        mode: RenameMode,
    ) -> Result<(), Errno> {
        self.tree.check_writable()?;
        let _structure = self.tree.structure.lock();
        let node = self.find(old)?;
        to.check_live()?;
        let target = match to.find(new) {
            Ok(target) => Some(target),
            Err(Errno::ENOENT) => None,
            Err(e) => return Err(e),
        };
        check_not_below(to, &node)?;
        match (target, mode) {
            (Some(_), RenameMode::NoReplace) => Err(Errno::EEXIST),
            (None, RenameMode::Exchange) => Err(Errno::ENOENT),
            (Some(target), _) if Arc::ptr_eq(&target, &node) => Ok(()),
            (Some(target), RenameMode::Exchange) => {
                check_not_below(self, &target)?;
                self.put(old, &target, to)?;
                to.put(new, &node, self)
            }
            (target, _) => {
                if let Some(target) = &target {
                    check_replaceable(&node, target)?;
                }
                to.put(new, &node, self)?;
                let in_image = self.in_image(old)?;
                self.edit(|directory| directory.delete(old, in_image))?;
                target.map_or(Ok(()), |target| to.discard(&target))
            }
        }
    }

    /// Gives `node`, which came from `from`, the name `name` in this directory.
    fn put(self: &Arc<Self>, name: &[u8], node: &Arc<Self>, from: &Arc<Self>) -> Result<(), Errno> {
        node.keep();
        self.edit(|directory| directory.add(name, node.clone()))?;
        if node.kind == Kind::Directory {
            {
                let mut state = node.state();
                let moved = directory(&mut state)?;
                moved.parent = Some(self.clone());
                moved.name = name.into();
            }
            from.count_subdirectory(false);
            self.count_subdirectory(true);
        }
        node.state().ctime = crate::vfs::Timestamp::now();
        Ok(())
    }

    /// Its parent, if it is a directory other than the root.
    pub(super) fn above(&self) -> Option<Arc<Self>> {
        directory(&mut self.state()).ok()?.parent.clone()
    }

    /// Its name in its parent and whether it was removed, if it is a directory.
    pub(super) fn place(&self) -> Option<(Arc<[u8]>, bool)> {
        directory(&mut self.state()).ok().map(|directory| (directory.name.clone(), directory.removed))
    }
}

/// A directory may replace an empty directory, anything else anything else (rename(2)).
fn check_replaceable(node: &Arc<Node>, target: &Arc<Node>) -> Result<(), Errno> {
    match (node.kind == Kind::Directory, target.kind == Kind::Directory) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        (true, true) if !target.is_empty()? => Err(Errno::ENOTEMPTY),
        _ => Ok(()),
    }
}

/// A directory cannot be moved below itself.
fn check_not_below(to: &Arc<Node>, moved: &Arc<Node>) -> Result<(), Errno> {
    let mut at = Some(to.clone());
    while let Some(directory) = at {
        if Arc::ptr_eq(&directory, moved) {
            return Err(Errno::EINVAL);
        }
        at = directory.above();
    }
    Ok(())
}

impl Tree {
    /// An inode without a name (`O_TMPFILE`, memfd_create(2)).
    pub(crate) fn unnamed(&'static self, new: &NewNode<'_>) -> Result<Arc<Node>, Errno> {
        self.check_writable()?;
        let node = Node::fresh(self, new, None);
        node.state().nlink = 0;
        self.inodes.fetch_sub(1, core::sync::atomic::Ordering::Relaxed);
        Ok(node)
    }
}
