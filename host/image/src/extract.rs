//! A directory of an image as files of the host: what a new volume begins with, and the root of a user who may not mount EROFS.
//!
//! Everything is made below a descriptor of the new directory and nothing is followed, so an image cannot reach outside of it.

use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::erofs::{ErofsError, FileKind, Inode, Nid, Reader};

/// A tree that is deeper is damaged: no path of Linux is so long.
const MAX_DEPTH: usize = 2048;
/// How much of a file is read at once.
const PIECE: usize = 1 << 20;

/// Why an image could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The image cannot be read.
    #[error("cannot read the image")]
    Image(#[from] ErofsError),
    /// Too deep.
    #[error("the image's directories lie too deep at {}", .0.display())]
    Depth(PathBuf),
    /// A user or group that this user's range of ids does not have.
    #[error(
        "{} belongs to {uid}:{gid} in the image, which is not among your ids; have an administrator give you more in /etc/subuid and /etc/subgid",
        path.display()
    )]
    Id {
        /// The file.
        path: PathBuf,
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A file cannot be made.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file, as the image names it.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Unpacks what the image has below `from` into the existing directory `to`, with owners, permissions, times and attributes.
///
/// If the image has no directory there, nothing is done. Without the right to make device nodes they are left out.
///
/// # Errors
/// [`ExtractError`]; what was unpacked so far stays.
pub fn extract(erofs: &Path, from: &str, to: &Path) -> Result<(), ExtractError> {
    let image = Reader::open(erofs)?;
    let top = match image.lookup(from) {
        Ok(inode) if inode.kind == FileKind::Directory => inode,
        Ok(_) | Err(ErofsError::NotFound(_) | ErofsError::NotADirectory(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let to = rustix::fs::open(to, flags, Mode::empty()).map_err(failed("open", to))?;
    let links = rustix::fs::openat(&to, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open", Path::new("/")))?;
    let mut extraction = Extraction { image, top: links, known: HashMap::new(), buffer: vec![0; PIECE] };
    extraction.directory(&top, to.as_fd(), Path::new(""), 0)?;
    attributes(&extraction.image, &top, &to, Path::new("/"))
}

struct Extraction {
    image: Reader,
    /// The new directory.
    top: OwnedFd,
    /// Where files with several names were made first.
    known: HashMap<Nid, PathBuf>,
    buffer: Vec<u8>,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> ExtractError {
    let path = path.to_owned();
    move |errno| ExtractError::File { action, path, source: errno.into() }
}

impl Extraction {
    fn directory(&mut self, inode: &Inode, to: BorrowedFd<'_>, path: &Path, depth: usize) -> Result<(), ExtractError> {
        if depth > MAX_DEPTH {
            return Err(ExtractError::Depth(path.to_owned()));
        }
        for entry in self.image.read_dir(inode)? {
            if matches!(entry.name.as_slice(), b"." | b"..") {
                continue;
            }
            let child = self.image.inode(entry.nid)?;
            let name = OsStr::from_bytes(&entry.name);
            self.child(&child, to, name, &path.join(name), depth)?;
        }
        Ok(())
    }

    fn child(
        &mut self,
        inode: &Inode,
        to: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
        depth: usize,
    ) -> Result<(), ExtractError> {
        if inode.kind != FileKind::Directory && inode.links > 1 {
            if let Some(first) = self.known.get(&inode.nid) {
                return rustix::fs::linkat(&self.top, first, to, name, AtFlags::empty()).map_err(failed("link", path));
            }
            self.known.insert(inode.nid, path.to_owned());
        }
        match inode.kind {
            FileKind::Directory => {
                rustix::fs::mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(failed("create", path))?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let made = rustix::fs::openat(to, name, flags, Mode::empty()).map_err(failed("open", path))?;
                self.directory(inode, made.as_fd(), path, depth + 1)?;
                attributes(&self.image, inode, &made, path)
            }
            FileKind::Regular => self.file(inode, to, name, path),
            FileKind::Symlink => {
                let target = self.image.read_link(inode)?;
                rustix::fs::symlinkat(OsStr::from_bytes(&target), to, name).map_err(failed("create", path))?;
                owner(inode, to, name, path)?;
                times(inode, to, name, path)
            }
            _ => node(inode, to, name, path),
        }
    }

    fn file(&mut self, inode: &Inode, to: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<(), ExtractError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(to, name, flags, Mode::from_raw_mode(0o600)).map_err(failed("create", path))?;
        let mut position = 0;
        while position < inode.size {
            let read = self.image.read_at(inode, position, &mut self.buffer)?;
            if read == 0 {
                break;
            }
            let piece = &self.buffer[..read];
            // Holes stay holes.
            if piece.iter().any(|byte| *byte != 0) {
                write_at(&file, piece, position).map_err(failed("write", path))?;
            }
            position += read as u64;
        }
        rustix::fs::ftruncate(&file, inode.size).map_err(failed("write", path))?;
        attributes(&self.image, inode, &file, path)
    }
}

fn write_at(file: &OwnedFd, mut data: &[u8], mut position: u64) -> Result<(), Errno> {
    while !data.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::pwrite(file, data, position))?;
        data = &data[written..];
        position += written as u64;
    }
    Ok(())
}

/// A device, pipe or socket.
fn node(inode: &Inode, to: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<(), ExtractError> {
    let device = inode.device.map_or(0, |(major, minor)| rustix::fs::makedev(major, minor));
    let kind = FileType::from_raw_mode(inode.st_mode());
    match rustix::fs::mknodat(to, name, kind, Mode::from_raw_mode(u32::from(inode.mode) & 0o7777), device) {
        Ok(()) => {
            owner(inode, to, name, path)?;
            times(inode, to, name, path)
        }
        // Only the host's root makes devices; what a container needs of them it gets in its own /dev.
        Err(Errno::PERM) if inode.device.is_some() => Ok(()),
        Err(errno) => Err(failed("create", path)(errno)),
    }
}

fn owner(inode: &Inode, to: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<(), ExtractError> {
    let (uid, gid) = (inode.uid, inode.gid);
    let ids = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let flags = if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::SYMLINK_NOFOLLOW };
    match rustix::fs::chownat(to, name, ids.0, ids.1, flags) {
        // The id has no meaning in this user namespace.
        Err(Errno::INVAL) => Err(ExtractError::Id { path: path.to_owned(), uid, gid }),
        other => other.map_err(failed("change the owner of", path)),
    }
}

fn times(inode: &Inode, to: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<(), ExtractError> {
    let time = Timespec { tv_sec: inode.mtime, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(to, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(failed("set the time of", path))
}

/// Owner, permissions, extended attributes and time, in the order in which none undoes another.
fn attributes(image: &Reader, inode: &Inode, file: &OwnedFd, path: &Path) -> Result<(), ExtractError> {
    owner(inode, file.as_fd(), OsStr::new(""), path)?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(u32::from(inode.mode) & 0o7777))
        .map_err(failed("set the permissions of", path))?;
    for (name, value) in image.xattrs(inode)? {
        let Ok(name) = CString::new(name) else { continue };
        match rustix::fs::fsetxattr(file, name.as_c_str(), &value, XattrFlags::empty()) {
            // Some file systems have none, and some attributes are only for the host's root.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(errno) => return Err(failed("set an attribute of", path)(errno)),
        }
    }
    let time = Timespec { tv_sec: inode.mtime, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::futimens(file, &times).map_err(failed("set the time of", path))
}

/// Unpacks a whole image into a directory that is not there yet: complete or not at all.
///
/// # Errors
/// As [`extract`]; nothing is left after one.
pub fn extract_root(erofs: &Path, to: &Path) -> Result<(), ExtractError> {
    let partial = to.with_extension(format!("{}.part", std::process::id()));
    let result = (|| {
        std::fs::create_dir(&partial).map_err(|source| ExtractError::File {
            action: "create",
            path: partial.clone(),
            source,
        })?;
        extract(erofs, "/", &partial)?;
        match rustix::fs::renameat_with(CWD, &partial, CWD, to, rustix::fs::RenameFlags::NOREPLACE) {
            // Somebody else was faster.
            Err(Errno::EXIST) => std::fs::remove_dir_all(&partial).map_err(|source| ExtractError::File {
                action: "remove",
                path: partial.clone(),
                source,
            }),
            other => other.map_err(failed("rename", to)),
        }
    })();
    if result.is_err() {
        let _ = std::fs::remove_dir_all(&partial);
    }
    result
}
