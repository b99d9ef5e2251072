use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use super::install::{LayerBlob, layer_files};
use super::remove::names_in;
use super::staging::Staging;
use super::{StagedBlob, Store, StoreError};
use crate::assemble::assemble;
use crate::config::ConfigFile;
use crate::digest::Hashing;
use crate::erofs::{ErofsError, Reader};
use crate::file::{self, At, FileError};
use crate::oci::layer_compression;
use crate::progress::Meter;
use crate::{Digest, Limits, Phase};

/// Something in the store that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Work of a process that is gone.
    Leftover(PathBuf),
    /// A blob or file system that belongs to no image.
    Orphan(PathBuf),
    /// A blob of an image is missing.
    MissingBlob {
        /// The image.
        image: Digest,
        /// Its blob.
        blob: Digest,
    },
    /// A blob of an image has other contents than its name says.
    CorruptBlob {
        /// The image.
        image: Digest,
        /// Its blob.
        blob: Digest,
    },
    /// A manifest or configuration cannot be understood.
    BadDocument {
        /// The image.
        image: Digest,
    },
    /// An image's file system is missing or damaged.
    BadFileSystem {
        /// The image.
        image: Digest,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leftover(path) => write!(f, "'{}' is left over from an interrupted command", path.display()),
            Self::Orphan(path) => write!(f, "'{}' belongs to no image", path.display()),
            Self::MissingBlob { image, blob } => write!(f, "image {image}: blob {blob} is missing"),
            Self::CorruptBlob { image, blob } => write!(f, "image {image}: blob {blob} has wrong contents"),
            Self::BadDocument { image } => write!(f, "image {image}: manifest or configuration cannot be understood"),
            Self::BadFileSystem { image } => write!(f, "image {image}: its file system is missing or damaged"),
        }
    }
}

/// A problem that stays.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// A file of the store failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Data are lost that only the image's source has.
    #[error("{0}; remove it with 'coracle image rm' and load it again")]
    Lost(Problem),
    /// The file system could not be built again.
    #[error("the file system of image {image} cannot be built again")]
    Rebuild {
        /// The image.
        image: Digest,
        /// Why.
        source: Box<StoreError>,
    },
}

impl Store {
    /// Reads and verifies everything in the store. Waits for changes of other processes.
    pub fn check(&self) -> Result<Vec<Problem>, StoreError> {
        let _lock = self.lock()?;
        let index = self.read_index()?;
        let mut problems = BTreeSet::new();
        for name in names_in(&self.dir.join("tmp")) {
            let path = self.dir.join("tmp").join(name);
            if Staging::is_abandoned(&path) {
                problems.insert(Problem::Leftover(path));
            }
        }
        let images: BTreeSet<Digest> = index.manifests.iter().map(|entry| entry.digest).collect();
        for image in &images {
            problems.extend(self.check_image(*image)?);
        }
        if let Some(needed) = self.needed_blobs(&index) {
            let blobs = self.dir.join("blobs/sha256");
            let orphans = names_in(&blobs).into_iter().filter(|name| !needed.contains(name));
            problems.extend(orphans.map(|name| Problem::Orphan(blobs.join(name))));
        }
        let file_systems: BTreeSet<PathBuf> = images.iter().map(|image| self.erofs_file(*image)).collect();
        let present = names_in(&self.dir.join("erofs")).into_iter().map(|name| self.dir.join("erofs").join(name));
        problems.extend(present.filter(|path| !file_systems.contains(path)).map(Problem::Orphan));
        Ok(problems.into_iter().collect())
    }

    fn check_image(&self, image: Digest) -> Result<Vec<Problem>, StoreError> {
        let mut problems = Vec::new();
        if !self.file_system_is_sound(image) {
            problems.push(Problem::BadFileSystem { image });
        }
        let manifest = match self.read_manifest(image) {
            Ok(manifest) => manifest,
            Err(error) => {
                problems.push(problem_of(image, image, error)?);
                return Ok(problems);
            }
        };
        for blob in manifest.layers.iter().map(|layer| layer.digest).chain([manifest.config.digest]) {
            match self.blob_is_sound(blob)? {
                None => problems.push(Problem::MissingBlob { image, blob }),
                Some(false) => problems.push(Problem::CorruptBlob { image, blob }),
                Some(true) => {}
            }
        }
        Ok(problems)
    }

    /// Whether a blob's contents are what its name says; `None` if it is missing.
    fn blob_is_sound(&self, blob: Digest) -> Result<Option<bool>, FileError> {
        let path = self.blob_file(blob);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => {
                let mut hashing = Hashing::new(opened.at("open", &path)?);
                io::copy(&mut hashing, &mut io::sink()).at("read", &path)?;
                Ok(Some(hashing.finish().1 == blob))
            }
        }
    }

    /// Walks through all of a file system's metadata.
    fn file_system_is_sound(&self, image: Digest) -> bool {
        let path = self.erofs_file(image);
        let walk = || -> Result<u64, ErofsError> {
            let reader = Reader::open(&path)?;
            let mut end = 0;
            reader.walk(|_, inode| {
                let data_end = inode.data_offset.map_or(0, |offset| offset.saturating_add(inode.size));
                end = end.max(data_end);
                Ok::<(), ErofsError>(())
            })?;
            Ok(end)
        };
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        walk().is_ok_and(|end| end <= length)
    }

    /// Repairs one problem: removes what belongs to nothing, builds file systems again. Lost data cannot be repaired.
    pub fn fix(&self, problem: &Problem) -> Result<(), FixError> {
        match problem {
            Problem::Leftover(path) => {
                let _lock = self.lock()?;
                // Somebody else may have been faster.
                if path.is_dir() && Staging::is_abandoned(path) {
                    fs::remove_dir_all(path).at("remove", path)?;
                } else if path.is_file() {
                    file::remove(path)?;
                }
                Ok(())
            }
            Problem::Orphan(_) => {
                let _lock = self.lock()?;
                // It may have become part of an image meanwhile, so this is decided again.
                if let Ok(index) = self.read_index() {
                    self.collect_garbage(&index);
                }
                Ok(())
            }
            Problem::BadFileSystem { image } => {
                let rebuild = |source| FixError::Rebuild { image: *image, source: Box::new(source) };
                self.rebuild(*image).map_err(rebuild)
            }
            lost => Err(FixError::Lost(lost.clone())),
        }
    }

    fn rebuild(&self, image: Digest) -> Result<(), StoreError> {
        let manifest = self.read_manifest(image)?;
        let config = manifest.config.digest;
        let config: ConfigFile = serde_json::from_slice(&self.read_blob(config)?)
            .map_err(|source| StoreError::Document { digest: config, source })?;
        let layers = manifest.layers.iter().map(|layer| LayerBlob {
            blob: StagedBlob { path: self.blob_file(layer.digest), digest: layer.digest, size: layer.size },
            media_type: layer.media_type.clone(),
            labelled: layer_compression(&layer.media_type),
        });
        let files = layer_files(image, layers, &config.rootfs.diff_ids)?;
        let staging = Staging::new(self)?;
        let path = staging.new_path();
        let mut silent = |_| {};
        // The layers were accepted once; the limits are against strangers.
        let limits = Limits { unpacked_bytes: u64::MAX, entries: u64::MAX, ..Limits::default() };
        assemble(&files, &path, &limits, &mut Meter::new(&mut silent, Phase::Unpacking))?;
        let _lock = self.lock()?;
        let target = self.erofs_file(image);
        fs::rename(&path, &target).at("replace", &target)?;
        Ok(())
    }
}

/// What a failure to read a document means for the image; other failures stay failures.
fn problem_of(image: Digest, blob: Digest, error: StoreError) -> Result<Problem, StoreError> {
    match error {
        StoreError::MissingBlob { .. } => Ok(Problem::MissingBlob { image, blob }),
        StoreError::CorruptBlob { .. } => Ok(Problem::CorruptBlob { image, blob }),
        StoreError::Document { .. } => Ok(Problem::BadDocument { image }),
        error => Err(error),
    }
}
