use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::Store;
use crate::Digest;
use crate::digest::Hashing;
use crate::file::{At, FileError};

/// A directory for work in progress. It is locked as long as its process lives, and removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Staging {
    dir: PathBuf,
    files: std::cell::Cell<u64>,
    _lock: File,
}

/// A blob on its way into the store.
#[derive(Debug, Clone)]
pub(crate) struct StagedBlob {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl Staging {
    /// Makes a directory of this process's own.
    pub(crate) fn new(store: &Store) -> Result<Self, FileError> {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .at("name a directory in", &store.dir)?;
        let name = format!("{}-{:016x}", std::process::id(), u64::from_ne_bytes(random));
        let dir = store.dir.join("tmp").join(name);
        // Under the store's lock, so that nobody takes the new directory for a leftover before it is locked.
        let _store_lock = store.lock()?;
        fs::create_dir(&dir).at("create", &dir)?;
        let lock = File::open(&dir).at("open", &dir)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).at("lock", &dir)?;
        Ok(Self { dir, files: std::cell::Cell::new(0), _lock: lock })
    }

    /// Whether the process that made this directory is gone.
    pub(super) fn is_abandoned(dir: &Path) -> bool {
        File::open(dir).is_ok_and(|file| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
    }

    /// A path in it that is not in use.
    pub(crate) fn new_path(&self) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.dir.join(self.files.get().to_string())
    }

    /// Copies a stream into a new file, hashing it.
    pub(crate) fn add(&self, source: &mut dyn Read, on_read: &mut dyn FnMut(u64)) -> Result<StagedBlob, StageError> {
        let path = self.new_path();
        let mut out = Hashing::new(File::create_new(&path).at("create", &path)?);
        let mut buffer = vec![0; 128 << 10];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result.map_err(StageError::Source)?,
            };
            io::Write::write_all(&mut out, &buffer[..read]).at("write", &path)?;
            on_read(read as u64);
        }
        let (_, digest, size) = out.finish();
        Ok(StagedBlob { path, digest, size })
    }

    /// Makes a file of bytes.
    pub(crate) fn add_bytes(&self, bytes: &[u8]) -> Result<StagedBlob, FileError> {
        let path = self.new_path();
        fs::write(&path, bytes).at("write", &path)?;
        Ok(StagedBlob { path, digest: Digest::of(bytes), size: bytes.len() as u64 })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is found by `check`, since the lock goes with the process.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A blob could not be staged: which side failed matters to the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error("cannot read the source")]
    Source(#[source] io::Error),
    #[error(transparent)]
    File(#[from] FileError),
}
