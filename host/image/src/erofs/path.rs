use std::collections::HashSet;

use super::{ErofsError, FileKind, Inode, ReadAt, Reader};

/// The kernel's bound on symbolic links in one path (`MAXSYMLINKS`).
const MAX_SYMLINKS: usize = 40;
/// Bounds beyond which a tree is taken for damaged.
const MAX_DEPTH: usize = 1024;
const MAX_ENTRIES: usize = 1 << 24;

/// Paths in the image.
impl<S: ReadAt> Reader<S> {
    /// Finds a path from the root, through symbolic links, the last component's too. Links never lead outside.
    pub fn lookup(&self, path: impl AsRef<[u8]>) -> Result<Inode, ErofsError> {
        self.resolve(path.as_ref(), true)
    }

    /// Finds a path as [`Reader::lookup`] does, but does not follow a symbolic link as the last component.
    pub fn lookup_no_follow(&self, path: impl AsRef<[u8]>) -> Result<Inode, ErofsError> {
        self.resolve(path.as_ref(), false)
    }

    fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Inode, ErofsError> {
        let shown = || String::from_utf8_lossy(path).into_owned();
        let mut pending: Vec<Vec<u8>> = components(path);
        let mut above = Vec::new();
        let mut current = self.inode(self.root())?;
        let mut followed = 0;
        while let Some(name) = pending.pop() {
            if current.kind != FileKind::Directory {
                return Err(ErofsError::NotADirectory(shown()));
            }
            if name == b".." {
                current = above.pop().unwrap_or(current);
                continue;
            }
            let nid = self.child(&current, &name)?.ok_or_else(|| ErofsError::NotFound(shown()))?;
            let next = self.inode(nid)?;
            if next.kind != FileKind::Symlink || (pending.is_empty() && !follow_last) {
                above.push(std::mem::replace(&mut current, next));
                continue;
            }
            followed += 1;
            if followed > MAX_SYMLINKS {
                return Err(ErofsError::SymlinkLoop(shown()));
            }
            let target = self.read_link(&next)?;
            if target.starts_with(b"/") {
                above.clear();
                current = self.inode(self.root())?;
            }
            pending.extend(components(&target));
        }
        Ok(current)
    }

    /// Visits every file, the root first and parents before what they contain, with its absolute path. The visitor's error
    /// ends the walk.
    pub fn walk<E: From<ErofsError>>(&self, mut visit: impl FnMut(&[u8], &Inode) -> Result<(), E>) -> Result<(), E> {
        let damaged = |inode: &Inode| ErofsError::Malformed { nid: inode.nid.0, what: "directory tree" };
        let root = self.inode(self.root())?;
        visit(b"/", &root)?;
        let mut seen = HashSet::from([root.nid]);
        let mut left = MAX_ENTRIES;
        let mut path = Vec::new();
        // The directories from the root to the current one: the rest of their entries, and the length of their path.
        let mut open = vec![(self.read_dir(&root)?.into_iter(), 0)];
        while let Some((entries, len)) = open.last_mut() {
            path.truncate(*len);
            let Some(entry) = entries.next() else {
                open.pop();
                continue;
            };
            path.push(b'/');
            path.extend(&entry.name);
            let inode = self.inode(entry.nid)?;
            visit(&path, &inode)?;
            left = left.checked_sub(1).ok_or_else(|| damaged(&inode))?;
            if inode.kind == FileKind::Directory {
                // A directory has one name, so one that comes again contains itself.
                if !seen.insert(inode.nid) || open.len() >= MAX_DEPTH {
                    return Err(damaged(&inode).into());
                }
                open.push((self.read_dir(&inode)?.into_iter(), path.len()));
            }
        }
        Ok(())
    }
}

/// A path's components in reverse, as a stack to pop from.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).rev().map(<[u8]>::to_vec).collect()
}
