//! A directory of the host as a file system image, for bundles whose root file system engines have unpacked already.
//!
//! Everything is opened relative to its directory without following links, so that what is read lies in the directory,
//! whoever changes it meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

use crate::Limits;
use crate::erofs::{DataWriter, Segment, WriteError};
use crate::tree::{Attributes, Content, Tree, TreeError, shown};

/// A directory that does not become a file system image.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The directory or something in it cannot be read.
    #[error("cannot read '{path}' of the root file system")]
    Read {
        /// Below the directory.
        path: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The image's file cannot be made.
    #[error("cannot create {path}")]
    Create {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A file has no place in an image.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The image cannot be written.
    #[error("cannot write the image of '{path}'")]
    Write {
        /// Below the directory.
        path: String,
        /// Why.
        #[source]
        source: WriteError,
    },
}

/// Writes the file system in `directory` into the new file `image`. Sockets are left out: nobody listens on them.
///
/// # Errors
/// [`DirectoryError`]; what was written of the image stays then.
pub fn write_directory(directory: &Path, image: &Path) -> Result<(), DirectoryError> {
    let create = |source| DirectoryError::Create { path: image.to_owned(), source };
    let file = File::create_new(image).map_err(create)?;
    let root = rustix::fs::open(directory, DIRECTORY, Mode::empty()).map_err(read_error(b"/"))?;
    let mut walk = Walk {
        tree: Tree::new(&Limits::default()),
        data: DataWriter::new(file).map_err(write_error(b"/"))?,
        links: HashMap::new(),
    };
    walk.tree.begin_layer();
    let stat = rustix::fs::fstat(&root).map_err(read_error(b"/"))?;
    walk.tree.insert(b"/", attributes(&stat, Some(&root)), Content::Directory(BTreeMap::new()))?;
    walk.directory(&root, b"")?;
    walk.data.finish(&walk.tree).map_err(write_error(b"/"))?;
    Ok(())
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

struct Walk {
    tree: Tree,
    data: DataWriter,
    /// The first path of files with several names, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl Walk {
    fn directory(&mut self, directory: &OwnedFd, path: &[u8]) -> Result<(), DirectoryError> {
        for name in names(directory).map_err(read_error(path))? {
            let path = [path, b"/", name.to_bytes()].concat();
            match rustix::fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.entry(directory, &name, &path, &stat)?,
                // Removed since the directory was read.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(read_error(&path)(error)),
            }
        }
        Ok(())
    }

    fn entry(&mut self, parent: &OwnedFd, name: &CStr, path: &[u8], stat: &Stat) -> Result<(), DirectoryError> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory && stat.st_nlink > 1 {
            match self.links.get(&(stat.st_dev, stat.st_ino)) {
                Some(first) => return Ok(self.tree.hard_link(path, first)?),
                None => drop(self.links.insert((stat.st_dev, stat.st_ino), path.to_vec())),
            }
        }
        let device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let content = match kind {
            FileType::Directory => {
                let opened = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()).map_err(read_error(path))?;
                let attributes = attributes(stat, Some(&opened));
                self.tree.insert(path, attributes, Content::Directory(BTreeMap::new()))?;
                return self.directory(&opened, path);
            }
            FileType::RegularFile => return self.file(parent, name, path),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new()).map_err(read_error(path))?;
                Content::Symlink(target.into_bytes())
            }
            FileType::Fifo => Content::Fifo,
            FileType::CharacterDevice => Content::CharDevice { major: device.0, minor: device.1 },
            FileType::BlockDevice => Content::BlockDevice { major: device.0, minor: device.1 },
            _ => return Ok(()),
        };
        Ok(self.tree.insert(path, attributes(stat, None), content)?)
    }

    fn file(&mut self, parent: &OwnedFd, name: &CStr, path: &[u8]) -> Result<(), DirectoryError> {
        // Not blocking: it may have become a FIFO.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(read_error(path))?;
        let stat = rustix::fs::fstat(&file).map_err(read_error(path))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(read_error(path)(Errno::STALE));
        }
        let attributes = attributes(&stat, Some(&file));
        let size = stat.st_size.unsigned_abs();
        let segments: &[Segment] = if size == 0 { &[] } else { &[Segment { offset: 0, len: size }] };
        let extent = self.data.write_file(size, segments, &mut File::from(file)).map_err(write_error(path))?;
        Ok(self.tree.insert(path, attributes, Content::File(extent))?)
    }
}

fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<std::ffi::CString>> {
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    // The same directory gives the same image, in whatever order the host's file system lists it.
    names.sort();
    Ok(names)
}

fn attributes(stat: &Stat, opened: Option<&OwnedFd>) -> Attributes {
    let symlink = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    Attributes {
        mode: if symlink { 0o777 } else { (stat.st_mode & 0o7777) as u16 },
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: stat.st_mtime,
        mtime_nsec: stat.st_mtime_nsec as u32,
        xattrs: opened.map(xattrs).unwrap_or_default(),
    }
}

/// Those that mean something in the image: file capabilities and the user's own. A file system without any is fine.
fn xattrs(file: impl AsFd) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut list = vec![0u8; 64 << 10];
    let length = rustix::fs::flistxattr(&file, &mut list).unwrap_or(0);
    let mut found = BTreeMap::new();
    for name in list[..length].split(|byte| *byte == 0).filter(|name| wanted(name)) {
        let mut value = vec![0u8; 64 << 10];
        if let Ok(length) = rustix::fs::fgetxattr(&file, name, &mut value) {
            value.truncate(length);
            found.insert(name.to_vec(), value);
        }
    }
    found
}

fn wanted(name: &[u8]) -> bool {
    name == b"security.capability" || name.starts_with(b"user.")
}

fn read_error(path: &[u8]) -> impl Fn(Errno) -> DirectoryError {
    move |source| DirectoryError::Read { path: shown(path), source: source.into() }
}

fn write_error(path: &[u8]) -> impl Fn(WriteError) -> DirectoryError {
    move |source| DirectoryError::Write { path: shown(path), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erofs::Reader;

    #[test]
    fn a_directory_with_links_and_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/a"), vec![7; 10_000]).unwrap();
        std::fs::hard_link(root.join("bin/a"), root.join("bin/b")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        std::fs::write(root.join("empty"), "").unwrap();
        let image = dir.path().join("image");
        write_directory(&root, &image).unwrap();
        let reader = Reader::open(&image).unwrap();
        let mut seen = Vec::new();
        reader
            .walk(|path, inode| -> Result<(), crate::ErofsError> {
                seen.push((String::from_utf8_lossy(path).into_owned(), inode.size));
                Ok(())
            })
            .unwrap();
        let size = |name: &str| seen.iter().find(|(path, _)| path.trim_matches('/') == name).map(|(_, size)| *size);
        assert_eq!((size("bin/a"), size("bin/b"), size("empty")), (Some(10_000), Some(10_000), Some(0)), "{seen:?}");
        assert_eq!(size("link"), Some(11));
        assert!(write_directory(&root, &image).is_err(), "never over another file");
    }
}
