//! `tmpcopyup`: a new file system in memory starts with what it covers.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

/// Deeper trees are refused: every level is an open descriptor.
const DEEPEST: u32 = 64;

/// Copies a directory's entries, with owner and mode. Both may be opened as mere places.
pub(super) fn copy(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    copy_directory(from.as_fd(), readable(to)?.as_fd(), 0)
}

fn copy_directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: u32) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(Errno::LOOP.into());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let listing = rustix::fs::openat(from, c".", flags, Mode::empty())?;
    for entry in Dir::read_from(&listing)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            copy_entry(from, to, name, depth)?;
        }
    }
    own_as(to, &rustix::fs::fstat(&listing)?)
}

fn copy_entry(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &std::ffi::CStr, depth: u32) -> io::Result<()> {
    let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
    let (uid, gid) = (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)));
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            rustix::fs::mkdirat(to, name, mode)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let below = rustix::fs::openat(to, name, flags, Mode::empty())?;
            let source = rustix::fs::openat(from, name, flags, Mode::empty())?;
            copy_directory(source.as_fd(), below.as_fd(), depth + 1)
        }
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let source = rustix::fs::openat(from, name, flags, Mode::empty())?;
            let made = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let target = rustix::fs::openat(to, name, made, mode)?;
            io::copy(&mut std::fs::File::from(source), &mut std::fs::File::from(target.try_clone()?))?;
            own_as(target.as_fd(), &stat)
        }
        FileType::Symlink => {
            rustix::fs::symlinkat(rustix::fs::readlinkat(from, name, Vec::new())?, to, name)?;
            Ok(rustix::fs::chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
        }
        kind => {
            rustix::fs::mknodat(to, name, kind, mode, stat.st_rdev)?;
            Ok(rustix::fs::chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
        }
    }
}

/// Owner first: changing it clears the set-user-ID bits.
fn own_as(target: BorrowedFd<'_>, stat: &rustix::fs::Stat) -> io::Result<()> {
    rustix::fs::fchown(target, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    Ok(rustix::fs::fchmod(target, Mode::from_raw_mode(stat.st_mode & 0o7777))?)
}

/// A place opened as `O_PATH`, for reading.
fn readable(place: impl AsFd) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(place, c".", flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn trees_are_copied_with_modes_and_links() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(from.path().join("a")).unwrap();
        std::fs::write(from.path().join("a/file"), "text").unwrap();
        std::fs::set_permissions(from.path().join("a/file"), PermissionsExt::from_mode(0o4751)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.path().join("link")).unwrap();
        let open = |path| rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        copy(open(from.path()), open(to.path())).unwrap();
        assert_eq!(std::fs::read_to_string(to.path().join("a/file")).unwrap(), "text");
        assert_eq!(std::fs::metadata(to.path().join("a/file")).unwrap().permissions().mode() & 0o7777, 0o4751);
        assert_eq!(std::fs::read_link(to.path().join("link")).unwrap().to_str(), Some("/etc/passwd"));
    }
}
