use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Store, StoreError};
use crate::config::ConfigFile;
use crate::oci::Descriptor;
use crate::{Digest, ImageConfig, Reference};

/// An image, ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    /// Its name, the first one if it has several and was found by digest.
    pub reference: Option<Reference>,
    /// The manifest's digest: the image's identity.
    pub digest: Digest,
    /// What it says about how it wants to run.
    pub config: ImageConfig,
    /// The configuration's digest.
    pub config_digest: Digest,
    /// Its layers, lowest first.
    pub layers: Vec<LayerInfo>,
    /// Its file system, one read-only EROFS file.
    pub erofs: PathBuf,
    /// The size of that file in bytes, holes included.
    pub erofs_size: u64,
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LayerInfo {
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's size in bytes.
    pub size: u64,
    /// The blob's media type.
    pub media_type: String,
}

/// A line of `coracle image ls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageSummary {
    /// Its name; `None` for an image without one.
    pub reference: Option<Reference>,
    /// The manifest's digest.
    pub digest: Digest,
    /// When it was made, RFC 3339, if it says so.
    pub created: Option<String>,
    /// Bytes on the disk of the host: documents, layers and file system. Layers that images share count for each.
    pub size: u64,
    /// Number of layers.
    pub layers: usize,
    /// Whether it can be run; if not, [`Store::check`] says why.
    pub intact: bool,
}

impl Store {
    /// Finds an image by name, by digest, or by the beginning of a digest that fits only one.
    ///
    /// This is on the way of every start, so it reads three small files and verifies only those. Layers were verified when
    /// they were loaded; [`Store::check`] does it again.
    pub fn resolve(&self, reference: &Reference) -> Result<Image, StoreError> {
        let index = self.read_index()?;
        let found = self.find(&index, reference)?;
        let descriptor = found.first().ok_or_else(|| StoreError::NotFound { reference: reference.clone() })?;
        self.image(descriptor)
    }

    /// Reads what an entry of the index describes.
    pub(crate) fn image(&self, descriptor: &Descriptor) -> Result<Image, StoreError> {
        let digest = descriptor.digest;
        let manifest = self.read_manifest(digest)?;
        let config: ConfigFile = serde_json::from_slice(&self.read_blob(manifest.config.digest)?)
            .map_err(|source| StoreError::Document { digest: manifest.config.digest, source })?;
        let erofs = self.erofs_file(digest);
        let erofs_size = erofs.metadata().map_err(|_| StoreError::MissingFileSystem { digest })?.len();
        let layer = |d: Descriptor| LayerInfo { digest: d.digest, size: d.size, media_type: d.media_type };
        Ok(Image {
            reference: name_of(descriptor),
            digest,
            config: config.into(),
            config_digest: manifest.config.digest,
            layers: manifest.layers.into_iter().map(layer).collect(),
            erofs,
            erofs_size,
        })
    }

    /// All images, by name.
    pub fn list(&self) -> Result<Vec<ImageSummary>, StoreError> {
        let mut all: Vec<ImageSummary> = self.read_index()?.manifests.iter().map(|d| self.summary(d)).collect();
        all.sort_by_key(|summary| (summary.reference.is_none(), summary.reference.clone(), summary.digest));
        Ok(all)
    }

    /// A damaged image is listed all the same, so that it can be removed.
    fn summary(&self, descriptor: &Descriptor) -> ImageSummary {
        let image = self.image(descriptor);
        let on_disk = |path: PathBuf| path.metadata().map_or(0, |metadata| metadata.blocks() * 512);
        let reference = name_of(descriptor);
        let digest = descriptor.digest;
        let mut size = on_disk(self.blob_file(digest)) + on_disk(self.erofs_file(digest));
        let (mut created, mut layers, intact) = (None, 0, image.is_ok());
        if let Ok(image) = image {
            size += on_disk(self.blob_file(image.config_digest));
            size += image.layers.iter().map(|layer| on_disk(self.blob_file(layer.digest))).sum::<u64>();
            (created, layers) = (image.config.created, image.layers.len());
        }
        ImageSummary { reference, digest, created, size, layers, intact }
    }
}

pub(super) fn name_of(descriptor: &Descriptor) -> Option<Reference> {
    descriptor.ref_name()?.parse().ok()
}
