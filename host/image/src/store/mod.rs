//! The content store: an OCI image layout (image-layout.md) with each image's file system beside it.
//!
//! ```text
//! oci-layout  index.json  blobs/sha256/<hex>      readable by every OCI tool
//! erofs/<hex of the manifest's digest>.erofs      what instances run from
//! tmp/<pid>-<random>/                             work in progress, locked by its process
//! lock                                            held while index, blobs or file systems change
//! ```
//!
//! Reading takes no lock: every file is put in place by rename(2), complete. Changes are made under the lock, so several
//! processes may use one store.

mod check;
mod error;
mod image;
mod install;
mod remove;
mod staging;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

pub use check::{FixError, Problem};
pub use error::StoreError;
pub use image::{Image, ImageSummary, LayerInfo};
pub(crate) use install::{LayerBlob, NewImage};
pub use remove::Removed;
pub(crate) use staging::{StageError, StagedBlob, Staging};

use crate::file::{self, At, FileError};
use crate::oci::{Descriptor, Index, LAYOUT, Manifest};
use crate::{Digest, Limits, Reference};

/// The images of this host.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// Opens the store in a directory, and makes it if it does not exist.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let store = Self { dir: dir.to_owned() };
        if !store.layout_file().exists() {
            store.create()?;
        }
        Ok(store)
    }

    fn create(&self) -> Result<(), FileError> {
        for part in ["blobs/sha256", "erofs", "tmp"] {
            let path = self.dir.join(part);
            fs::create_dir_all(&path).at("create", &path)?;
        }
        let _lock = self.lock()?;
        if !self.index_file().exists() {
            self.write_index(&Index::default())?;
        }
        // Last: with it, the layout is complete.
        self.replace(&self.layout_file(), LAYOUT.as_bytes())
    }

    /// The directory of the store.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn layout_file(&self) -> PathBuf {
        self.dir.join("oci-layout")
    }

    fn index_file(&self) -> PathBuf {
        self.dir.join("index.json")
    }

    pub(crate) fn blob_file(&self, digest: Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.hex())
    }

    fn erofs_file(&self, manifest: Digest) -> PathBuf {
        self.dir.join("erofs").join(format!("{}.erofs", manifest.hex()))
    }

    /// Waits until no other process changes the store.
    pub(crate) fn lock(&self) -> Result<File, FileError> {
        let path = self.dir.join("lock");
        let file = File::options().create(true).append(true).open(&path).at("open", &path)?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive)).at("lock", &path)?;
        Ok(file)
    }

    /// Puts new contents in place of a file at once. Called under the lock, so the temporary name is free or a leftover.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let temporary = self.dir.join("tmp/replacement");
        file::remove(&temporary)?;
        file::write_synced(&temporary, bytes)?;
        fs::rename(&temporary, path).at("replace", path)?;
        file::sync_directory(&self.dir)
    }

    fn read_index(&self) -> Result<Index, StoreError> {
        let path = self.index_file();
        let bytes = match file::read(&path, INDEX_LIMIT) {
            Err(error) if error.is_missing() => return Ok(Index::default()),
            result => result?,
        };
        serde_json::from_slice(&bytes).map_err(|source| StoreError::Index { path, source })
    }

    fn write_index(&self, index: &Index) -> Result<(), FileError> {
        let path = self.index_file();
        let bytes = serde_json::to_vec_pretty(index).map_err(io::Error::from).at("encode", &path)?;
        self.replace(&path, &bytes)
    }

    /// Reads a small blob and verifies its digest.
    fn read_blob(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let path = self.blob_file(digest);
        match file::read(&path, Limits::default().json_bytes) {
            Err(error) if error.is_missing() => Err(StoreError::MissingBlob { digest }),
            Err(error) => Err(error.into()),
            Ok(bytes) if Digest::of(&bytes) != digest => Err(StoreError::CorruptBlob { digest }),
            Ok(bytes) => Ok(bytes),
        }
    }

    pub(crate) fn read_manifest(&self, digest: Digest) -> Result<Manifest, StoreError> {
        let bytes = self.read_blob(digest)?;
        serde_json::from_slice(&bytes).map_err(|source| StoreError::Document { digest, source })
    }

    /// The index's entries that a reference means: one, or several names of one image when it is named by digest.
    fn find<'a>(&self, index: &'a Index, reference: &Reference) -> Result<Vec<&'a Descriptor>, StoreError> {
        let all = || index.manifests.iter();
        let not_found = || StoreError::NotFound { reference: reference.clone() };
        let found: Vec<&Descriptor> = match (reference.digest(), reference.tagged()) {
            (Some(digest), name) => {
                let name = name.filter(|_| reference.tag().is_some());
                all().filter(|d| d.digest == digest && (name.is_none() || d.ref_name() == name.as_deref())).collect()
            }
            (None, Some(name)) => all().filter(|d| d.ref_name() == Some(&name)).collect(),
            (None, None) => Vec::new(),
        };
        if !found.is_empty() {
            return Ok(found);
        }
        let prefix = reference.digest_prefix().ok_or_else(not_found)?;
        let found: Vec<&Descriptor> = all().filter(|d| d.digest.hex().starts_with(prefix)).collect();
        let first = found.first().ok_or_else(not_found)?.digest;
        if found.iter().any(|d| d.digest != first) {
            return Err(StoreError::Ambiguous { prefix: prefix.to_owned() });
        }
        Ok(found)
    }
}

/// Bound on `index.json`: some hundred thousand images.
const INDEX_LIMIT: u64 = 64 << 20;
