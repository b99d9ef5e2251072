//! What a packed image will contain, by path.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::PackError;
use crate::file::At;

/// The kernel's bound on symbolic links in one path (`MAXSYMLINKS`).
const MAX_SYMLINKS: usize = 40;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Directory {
        mode: u32,
        mtime: i64,
    },
    Symlink {
        target: PathBuf,
        mtime: i64,
    },
    /// A file with the contents of one of the host.
    HostFile {
        host: PathBuf,
        mode: u32,
        mtime: i64,
        size: u64,
    },
    /// A small file that the host does not have.
    Bytes {
        bytes: Vec<u8>,
        mode: u32,
    },
}

impl Item {
    pub(crate) fn directory(mode: u32) -> Self {
        Self::Directory { mode, mtime: 0 }
    }

    /// A regular file of the host.
    pub(crate) fn host_file(host: &Path, metadata: &Metadata, mtime: i64) -> Self {
        Self::HostFile { host: host.to_owned(), mode: mode_of(metadata), mtime, size: metadata.len() }
    }
}

/// All is root's in the image, so set-ID bits that meant somebody else are dropped.
pub(crate) fn mode_of(metadata: &Metadata) -> u32 {
    let mut mode = metadata.mode() & 0o7777;
    if metadata.uid() != 0 {
        mode &= !0o4000;
    }
    if metadata.gid() != 0 {
        mode &= !0o2000;
    }
    mode
}

/// The files by absolute path, without symbolic links among the parents: parents come before what they contain.
#[derive(Debug, Default)]
pub(crate) struct FileSet {
    items: BTreeMap<PathBuf, Item>,
}

impl FileSet {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &Item)> {
        self.items.iter()
    }

    pub(crate) fn contains(&self, path: &Path) -> bool {
        self.items.contains_key(path)
    }

    /// Adds a file of the host under its own path, with every directory and symbolic link on the way, so that the path
    /// means the same inside. Returns the path that the links lead to.
    pub(crate) fn add_host_path(&mut self, path: &Path) -> Result<PathBuf, PackError> {
        let mut pending = names(path);
        let mut resolved = PathBuf::from("/");
        let mut followed = 0;
        while let Some(name) = pending.pop_front() {
            if name == ".." {
                resolved.pop();
                continue;
            }
            let next = resolved.join(&name);
            let metadata = next.symlink_metadata().at("find", &next)?;
            if metadata.is_symlink() {
                followed += 1;
                if followed > MAX_SYMLINKS {
                    return Err(PackError::SymlinkLoop(path.to_owned()));
                }
                let target = fs::read_link(&next).at("read", &next)?;
                if target.is_absolute() {
                    resolved = PathBuf::from("/");
                }
                names(&target).into_iter().rev().for_each(|name| pending.push_front(name));
                self.put(next, Item::Symlink { target, mtime: 0 })?;
            } else if metadata.is_dir() {
                self.put(next.clone(), Item::directory(mode_of(&metadata)))?;
                resolved = next;
            } else if metadata.is_file() && pending.is_empty() {
                let item = Item::host_file(&next, &metadata, 0);
                self.put(next.clone(), item)?;
                return Ok(next);
            } else {
                return Err(PackError::NotAFile(next));
            }
        }
        Ok(resolved)
    }

    /// Adds something under any path, whose parents are made if they are missing.
    pub(crate) fn add_at(&mut self, guest: &Path, item: Item) -> Result<(), PackError> {
        let path = self.inside(guest)?;
        self.put(path, item)
    }

    /// A path of the image after its parents' symbolic links; missing parents are made.
    fn inside(&mut self, guest: &Path) -> Result<PathBuf, PackError> {
        let mut pending = names(guest);
        let mut resolved = PathBuf::from("/");
        let mut followed = 0;
        while let Some(name) = pending.pop_front() {
            if name == ".." {
                resolved.pop();
                continue;
            }
            let next = resolved.join(&name);
            match self.items.get(&next) {
                // The last component is the thing itself, unless it leads to a directory that is added again.
                _ if pending.is_empty() => return Ok(next),
                None => {
                    self.items.insert(next.clone(), Item::directory(0o755));
                    resolved = next;
                }
                Some(Item::Directory { .. }) => resolved = next,
                Some(Item::Symlink { target, .. }) => {
                    followed += 1;
                    if followed > MAX_SYMLINKS {
                        return Err(PackError::SymlinkLoop(guest.to_owned()));
                    }
                    if target.is_absolute() {
                        resolved = PathBuf::from("/");
                    }
                    names(target).into_iter().rev().for_each(|name| pending.push_front(name));
                }
                Some(_) => return Err(PackError::Conflict(next)),
            }
        }
        Ok(resolved)
    }

    fn put(&mut self, path: PathBuf, item: Item) -> Result<(), PackError> {
        let replace = match (self.items.get(&path), &item) {
            (None, _) => true,
            // A directory that is a symbolic link in the image already keeps being one.
            (Some(Item::Symlink { .. } | Item::Directory { .. }), Item::Directory { .. }) => false,
            (Some(Item::Symlink { target: old, .. }), Item::Symlink { target, .. }) if old == target => false,
            (Some(Item::HostFile { host: old, .. }), Item::HostFile { host, .. }) if old == host => false,
            (Some(Item::HostFile { .. } | Item::Bytes { .. }), Item::HostFile { .. } | Item::Bytes { .. }) => true,
            _ => return Err(PackError::Conflict(path)),
        };
        if replace {
            self.items.insert(path, item);
        }
        Ok(())
    }
}

/// The components of a path below the root; `..` is kept.
fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_on_the_way_are_reproduced() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        fs::write(root.join("usr/lib/liba.so.1.2"), "x").unwrap();
        symlink("liba.so.1.2", root.join("usr/lib/liba.so.1")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("../usr/../lib", root.join("usr/back")).unwrap();
        let mut files = FileSet::default();
        let real = files.add_host_path(&root.join("usr/back/liba.so.1")).unwrap();
        assert_eq!(real, root.join("usr/lib/liba.so.1.2"));
        let symlinks: Vec<&PathBuf> =
            files.iter().filter(|(_, item)| matches!(item, Item::Symlink { .. })).map(|(path, _)| path).collect();
        assert_eq!(symlinks, [&root.join("lib"), &root.join("usr/back"), &root.join("usr/lib/liba.so.1")]);
        files.add_at(&root.join("lib/other"), Item::Bytes { bytes: vec![], mode: 0o644 }).unwrap();
        assert!(files.contains(&root.join("usr/lib/other")));
    }

    #[test]
    fn loops_and_conflicts_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        let mut files = FileSet::default();
        assert!(matches!(files.add_host_path(&dir.path().join("a/x")), Err(PackError::SymlinkLoop(_))));
        let file = || Item::Bytes { bytes: vec![1], mode: 0o644 };
        files.add_at(Path::new("/f"), file()).unwrap();
        assert!(matches!(files.add_at(Path::new("/f/g"), file()), Err(PackError::Conflict(_))));
        assert!(matches!(files.add_at(Path::new("/f"), Item::directory(0o755)), Err(PackError::Conflict(_))));
    }
}
