//! Paths in a root that somebody else wrote: always by descriptor, never leaving the root (openat2(2)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The two kinds of things that a mount can be attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
}

/// An open root directory of which every entry may be hostile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<'a>(BorrowedFd<'a>);

impl<'a> Root<'a> {
    pub(crate) fn new(directory: &'a impl AsFd) -> Self {
        Self(directory.as_fd())
    }

    /// Opens an existing path as a place (`O_PATH`), following symbolic links as a process with this root would.
    pub(crate) fn locate(self, path: &str) -> rustix::io::Result<OwnedFd> {
        self.open(path, OFlags::PATH, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
    }

    /// Opens an existing path as a place if no part of it is a symbolic link.
    pub(crate) fn locate_without_links(self, path: &str) -> rustix::io::Result<OwnedFd> {
        self.open(path, OFlags::PATH, ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS)
    }

    fn open(self, path: &str, flags: OFlags, resolve: ResolveFlags) -> rustix::io::Result<OwnedFd> {
        // The kernel reports a concurrent rename with EAGAIN; trying again is what openat2(2) recommends.
        let mut attempts = 0;
        loop {
            match rustix::fs::openat2(self.0, relative(path), flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN) if attempts < 32 => attempts += 1,
                other => return other,
            }
        }
    }

    /// Opens or makes a directory that must be real: a symbolic link anywhere in its path is refused with `ELOOP`, so that
    /// nothing which the kernel or a program trusts (/proc, /sys, /dev) can be put elsewhere.
    pub(crate) fn real_directory(self, path: &str) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match self.open(path, OFlags::PATH | OFlags::DIRECTORY, resolve) {
            Err(Errno::NOENT) => {}
            other => return Ok(other?),
        }
        rustix::fs::mkdirat(self.0, relative(path), Mode::from_raw_mode(0o755))?;
        Ok(self.open(path, OFlags::PATH | OFlags::DIRECTORY, resolve)?)
    }

    /// Opens a place for a mount, and makes it and its parents if they do not exist.
    pub(crate) fn place(self, path: &str, kind: Kind) -> io::Result<OwnedFd> {
        match self.locate(path) {
            Err(Errno::NOENT) => {}
            other => return Ok(other?),
        }
        let (parent, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
        let parent = self.make_directories(parent)?;
        make(&parent, name, kind)?;
        Ok(self.locate(path)?)
    }

    /// Opens a directory, making what is missing of it.
    pub(crate) fn make_directories(self, path: &str) -> io::Result<OwnedFd> {
        let mut so_far = String::new();
        let mut here = self.locate("/")?;
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            so_far.push('/');
            so_far.push_str(part);
            here = match self.locate(&so_far) {
                Err(Errno::NOENT) => {
                    make(&here, part, Kind::Directory)?;
                    self.locate(&so_far)?
                }
                other => other?,
            };
        }
        Ok(here)
    }
}

/// Makes one entry. A symbolic link of that name leads nowhere (the caller has looked), so it gives way.
fn make(parent: &OwnedFd, name: &str, kind: Kind) -> rustix::io::Result<()> {
    let once = || match kind {
        Kind::Directory => rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)),
        Kind::File => rustix::fs::mknodat(parent, name, FileType::RegularFile, Mode::from_raw_mode(0o644), 0),
    };
    match once() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            once()
        }
        other => other,
    }
}

/// What openat2 takes for a path from the root.
fn relative(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => ".",
        path => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, std::fs::File) {
        let directory = tempfile::tempdir().unwrap();
        let open = std::fs::File::open(directory.path()).unwrap();
        (directory, open)
    }

    #[test]
    fn links_stay_inside() {
        let (directory, open) = root();
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        std::os::unix::fs::symlink("/../../../../etc/hosts", directory.path().join("etc/link")).unwrap();
        std::fs::write(directory.path().join("etc/hosts"), "inside").unwrap();
        let found = Root::new(&open).locate("/etc/link").unwrap();
        let inside = rustix::fs::stat(directory.path().join("etc/hosts")).unwrap();
        assert_eq!(rustix::fs::fstat(found).unwrap().st_ino, inside.st_ino);
    }

    #[test]
    fn trusted_directories_are_no_links() {
        let (directory, open) = root();
        std::os::unix::fs::symlink("/tmp", directory.path().join("proc")).unwrap();
        let error = Root::new(&open).real_directory("/proc").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        Root::new(&open).real_directory("/sys").unwrap();
        assert!(directory.path().join("sys").is_dir());
    }

    #[test]
    fn places_are_made_inside() {
        let (directory, open) = root();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), directory.path().join("up")).unwrap();
        Root::new(&open).place("/up/a/file", Kind::File).unwrap();
        assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none(), "something was made outside");
        Root::new(&open).place("/a/b/c", Kind::Directory).unwrap();
        assert!(directory.path().join("a/b/c").is_dir());
        std::os::unix::fs::symlink("nowhere/at/all", directory.path().join("dangling")).unwrap();
        Root::new(&open).place("/dangling", Kind::File).unwrap();
        assert!(directory.path().join("dangling").is_file());
    }
}
