use std::collections::BTreeSet;
use std::fs;

use serde::Serialize;

use super::{Store, StoreError};
use crate::file;
use crate::oci::{Descriptor, Index};
use crate::{Digest, Reference};

/// What removing an image did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Removed {
    /// Names that are gone.
    pub untagged: Vec<String>,
    /// The image itself, if no name is left for it.
    pub deleted: Option<Digest>,
}

impl Store {
    /// Removes a name, and with the last one the image; by digest, all its names. Instances that run from the image keep
    /// its file system open and are not disturbed.
    pub fn remove(&self, reference: &Reference) -> Result<Removed, StoreError> {
        let _lock = self.lock()?;
        let mut index = self.read_index()?;
        let gone: Vec<Descriptor> = self.find(&index, reference)?.into_iter().cloned().collect();
        index.manifests.retain(|entry| !gone.contains(entry));
        self.write_index(&index)?;
        self.collect_garbage(&index);
        let deleted = gone.first().map(|entry| entry.digest);
        Ok(Removed {
            untagged: gone.iter().filter_map(|entry| entry.ref_name().map(str::to_owned)).collect(),
            deleted: deleted.filter(|digest| index.manifests.iter().all(|entry| entry.digest != *digest)),
        })
    }

    /// Removes the blobs and file systems that no image needs. Called under the lock, after the index was written. Errors are
    /// left to [`Store::check`], which finds what stayed: the index is the truth and is changed already.
    pub(super) fn collect_garbage(&self, index: &Index) {
        // A damaged image's blobs are unknown, so nothing is taken away then.
        let Some(needed) = self.needed_blobs(index) else { return };
        for name in names_in(&self.dir.join("blobs/sha256")) {
            if !needed.contains(&name) {
                let _ = file::remove(&self.dir.join("blobs/sha256").join(name));
            }
        }
        let images: BTreeSet<String> = index.manifests.iter().map(|entry| entry.digest.hex()).collect();
        for name in names_in(&self.dir.join("erofs")) {
            if !name.strip_suffix(".erofs").is_some_and(|hex| images.contains(hex)) {
                let _ = file::remove(&self.dir.join("erofs").join(name));
            }
        }
    }

    /// The file names of all blobs that the index's images consist of; `None` if one of them cannot be read.
    pub(super) fn needed_blobs(&self, index: &Index) -> Option<BTreeSet<String>> {
        let mut needed = BTreeSet::new();
        for digest in index.manifests.iter().map(|entry| entry.digest).collect::<BTreeSet<_>>() {
            let manifest = self.read_manifest(digest).ok()?;
            let parts = manifest.layers.iter().map(|layer| layer.digest).chain([digest, manifest.config.digest]);
            needed.extend(parts.map(|digest| digest.hex()));
        }
        Some(needed)
    }
}

pub(super) fn names_in(dir: &std::path::Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}
