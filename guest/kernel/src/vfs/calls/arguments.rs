//! Arguments that many calls share: paths, directory descriptors, buffers.

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;
use linux_abi::fs::{AT_EMPTY_PATH, AT_FDCWD, IOV_MAX, MAX_RW_COUNT, PATH_MAX};
use platform::UserAddr;

use crate::mem::{Sink, Source, read_cstr, read_slice};
use crate::task::current;
use crate::vfs::path::{Found, How, Last, walk};
use crate::vfs::{Inode, Kind, OpenFile, Place, mount};

/// The description behind a descriptor of the caller.
#[inline]
pub(super) fn file(fd: i32) -> Result<Arc<OpenFile>, Errno> {
    current().process.files.get(fd)
}

/// Gives a new description the lowest free descriptor.
pub(super) fn install(file: Arc<OpenFile>, close_on_exec: bool) -> Result<i64, Errno> {
    current().process.files.insert(file, close_on_exec, 0).map(i64::from)
}

/// A path of the application.
pub(super) fn path(at: UserAddr) -> Result<Vec<u8>, Errno> {
    read_cstr(at, PATH_MAX)
}

/// The directory where a relative path begins: that of the descriptor, or the working directory.
pub(super) fn directory(fd: i32) -> Result<Arc<dyn Inode>, Errno> {
    let current = current();
    if fd == AT_FDCWD {
        return Ok(current.process.fs.cwd());
    }
    let file = current.process.files.get(fd)?;
    let inode = file.place.as_ref().map(|place| place.inode.clone()).ok_or(Errno::ENOTDIR)?;
    if inode.kind() == Kind::Directory { Ok(inode) } else { Err(Errno::ENOTDIR) }
}

/// Where a path begins: an absolute one anywhere.
pub(super) fn start(fd: i32, path: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
    if path.first() == Some(&b'/') { Ok(mount::root()) } else { directory(fd) }
}

/// What `path` from `fd` leads to.
pub(super) fn find(fd: i32, path: &[u8], how: How) -> Result<Found, Errno> {
    walk(start(fd, path)?, path, how)
}

/// An object that a call works on.
pub(super) enum Object {
    /// Named by a path.
    Place(Place),
    /// Named by a descriptor (`AT_EMPTY_PATH`), or by a magic link to something outside all file systems.
    File(Arc<OpenFile>),
}

impl Object {
    /// The inode; `EBADF` if no file system holds the object.
    pub(super) fn inode(&self) -> Result<Arc<dyn Inode>, Errno> {
        match self {
            Self::Place(place) => Ok(place.inode.clone()),
            Self::File(file) => file.place.as_ref().map(|place| place.inode.clone()).ok_or(Errno::EBADF),
        }
    }
}

/// The object of a call with `dirfd`, a path and `AT_*` flags.
pub(super) fn object(fd: i32, at: UserAddr, flags: u32, follow: bool) -> Result<Object, Errno> {
    let path = match flags & AT_EMPTY_PATH != 0 && at.is_null() {
        true => Vec::new(),
        false => path(at)?,
    };
    if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
        if fd == AT_FDCWD {
            let inode = current().process.fs.cwd();
            return Ok(Object::Place(Place { inode, parent: None, name: (*b"").into() }));
        }
        return file(fd).map(Object::File);
    }
    let found = find(fd, &path, How { follow, resolve: 0 })?;
    match &found.description {
        Some(file) => Ok(Object::File(file.clone())),
        None => found.to_place().map(Object::Place),
    }
}

/// Where an entry is to be made or removed: the directory, the name, and what is there now.
pub(super) fn entry(fd: i32, at: UserAddr) -> Result<Found, Errno> {
    find(fd, &path(at)?, How::NO_FOLLOW)
}

/// [`entry`] for a new name; `EEXIST` if there is something.
pub(super) fn new_entry(fd: i32, at: UserAddr) -> Result<Found, Errno> {
    let found = entry(fd, at)?;
    match found.inode.is_some() || found.last != Last::Name {
        true => Err(Errno::EEXIST),
        false => Ok(found),
    }
}

/// A buffer to read into.
pub(super) fn sink(at: UserAddr, len: usize) -> Result<Sink<'static>, Errno> {
    check_len(len)?;
    Ok(Sink::user(at, len.min(MAX_RW_COUNT)))
}

/// A buffer to write from.
pub(super) fn source(at: UserAddr, len: usize) -> Result<Source<'static>, Errno> {
    check_len(len)?;
    Ok(Source::user(at, len.min(MAX_RW_COUNT)))
}

fn check_len(len: usize) -> Result<(), Errno> {
    // More than the address space has cannot be accessible (access_ok in the kernel).
    if len > isize::MAX as usize { Err(Errno::EFAULT) } else { Ok(()) }
}

/// The pieces of a `struct iovec` array, cut to what one call moves.
pub(super) fn pieces(at: UserAddr, count: usize) -> Result<Vec<(UserAddr, usize)>, Errno> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let mut left = MAX_RW_COUNT;
    let raw: Vec<[u64; 2]> = read_slice(at, count)?;
    raw.into_iter()
        .map(|[base, len]| {
            let len = usize::try_from(len).ok().filter(|len| *len <= isize::MAX as usize).ok_or(Errno::EINVAL)?;
            let len = len.min(left);
            left -= len;
            Ok((UserAddr(base), len))
        })
        .collect()
}
