//! The engine's own small files. Opened by rustix: a start opens some twenty, and musl adds an fcntl(2) to each open(2).

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, open, renameat};
use rustix::io::{Errno, read, retry_on_intr, write};

use crate::Error;

/// Replaces a file as a whole: whoever reads it sees the old or the new content, never half of one.
pub(crate) fn write_atomic(path: &Path, content: &[u8]) -> Result<(), Error> {
    let fresh = path.with_extension("new");
    let write = || -> Result<(), Errno> {
        write_new(&fresh, content)?;
        renameat(CWD, &fresh, CWD, path)
    };
    write().map_err(|errno| Error::file("writing", path)(errno.into()))
}

/// Writes a file that nobody reads before it is whole.
pub(crate) fn write_plain(path: &Path, content: &[u8]) -> Result<(), Error> {
    write_new(path, content).map_err(|errno| Error::file("writing", path)(errno.into()))
}

fn write_new(path: &Path, content: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    write_all(&open(path, flags, Mode::from_raw_mode(0o644))?, content)
}

fn write_all(file: &OwnedFd, mut content: &[u8]) -> Result<(), Errno> {
    while !content.is_empty() {
        let n = retry_on_intr(|| write(file, content))?;
        content = &content[n..];
    }
    Ok(())
}

/// Makes a file that must not exist yet.
pub(crate) fn create_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::from_raw_mode(0o644))?;
    Ok(write_all(&file, content)?)
}

/// Reads a small file as a whole.
pub(crate) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (mut content, mut buffer) = (Vec::new(), [0u8; 4096]);
    loop {
        match retry_on_intr(|| read(&file, &mut buffer))? {
            0 => return Ok(content),
            n => content.extend_from_slice(&buffer[..n]),
        }
    }
}

/// An exclusive lock on a file, held until it is dropped or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code)] OwnedFd);

impl Lock {
    /// Takes the lock; `None` if another process holds it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::from_raw_mode(0o644));
        let file = file.map_err(|errno| Error::file("opening", path)(errno.into()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(Error::file("locking", path)(errno.into())),
        }
    }

    /// Whether some process holds the lock. Looks with a shared lock, so that two lookers do not see each other.
    pub(crate) fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(Errno::WOULDBLOCK))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_lock_is_seen_and_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::try_take(&path).unwrap().expect("free");
        assert!(Lock::is_held(&path));
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(lock);
        assert!(!Lock::is_held(&path));
    }

    #[test]
    fn a_write_replaces_the_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        write_atomic(&path, b"a long first content").unwrap();
        write_atomic(&path, b"short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
