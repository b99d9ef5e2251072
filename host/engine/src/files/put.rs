//! Files that are made in a directory that may be hostile: nothing that is there is followed or written into.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::{open_directory, open_in};

/// What is set on something new.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Seconds and nanoseconds.
    pub(super) mtime: (i64, i64),
}

/// Makes a file, in place of what has its name unless that is a directory.
pub(super) fn file(dir: BorrowedFd<'_>, name: &Path, attributes: Attributes, data: &mut dyn Read) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let make = || rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600));
    let mut file = File::from(replace(dir, name, make)?);
    io::copy(data, &mut file)?;
    set(dir, name, attributes, false)
}

/// Makes a directory, or takes the one that is there.
pub(super) fn directory(dir: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    open_directory(dir, name)
}

/// Makes a symbolic link.
pub(super) fn symlink(dir: BorrowedFd<'_>, name: &Path, target: &Path, attributes: Attributes) -> io::Result<()> {
    replace(dir, name, || rustix::fs::symlinkat(target, dir, name))?;
    set(dir, name, attributes, true)
}

/// Makes a named pipe or a device.
pub(super) fn node(
    dir: BorrowedFd<'_>,
    name: &Path,
    kind: FileType,
    device: u64,
    attributes: Attributes,
) -> io::Result<()> {
    replace(dir, name, || rustix::fs::mknodat(dir, name, kind, Mode::from_raw_mode(0o600), device))?;
    set(dir, name, attributes, false)
}

/// Makes a further name of a file.
pub(super) fn link(dir: BorrowedFd<'_>, name: &Path, from: BorrowedFd<'_>, old: &Path) -> io::Result<()> {
    Ok(replace(dir, name, || rustix::fs::linkat(from, old, dir, name, AtFlags::empty()))?)
}

/// What has the name gives way; a directory does not.
fn replace<T>(dir: BorrowedFd<'_>, name: &Path, make: impl Fn() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    match make() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
            make()
        }
        other => other,
    }
}

/// Owner first: a change of owner takes the set-user-ID bit away.
pub(super) fn set(dir: BorrowedFd<'_>, name: &Path, attributes: Attributes, link: bool) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if !link {
        // By descriptor: fchmodat(2) follows links.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(dir, name, flags, Mode::empty())?;
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}", place.as_raw_fd());
        rustix::fs::chmod(path, Mode::from_raw_mode(attributes.mode & 0o7777))?;
    }
    let time = Timespec { tv_sec: attributes.mtime.0, tv_nsec: attributes.mtime.1 as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Opens a directory inside a root, making what is missing of it.
pub(super) fn directories(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut so_far = std::path::PathBuf::from("/");
    let mut here = open_in(root, &so_far, flags)?;
    for part in path.components() {
        let Component::Normal(name) = part else { continue };
        so_far.push(name);
        here = match open_in(root, &so_far, flags) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                rustix::fs::mkdirat(here.as_fd(), name, Mode::from_raw_mode(0o755))?;
                open_in(root, &so_far, flags)?
            }
            other => other?,
        };
    }
    Ok(here)
}
