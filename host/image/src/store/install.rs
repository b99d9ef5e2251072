use std::collections::BTreeSet;
use std::fs::{self, File};

use super::{Image, StagedBlob, Staging, Store, StoreError};
use crate::assemble::{LayerFile, assemble};
use crate::config::ConfigFile;
use crate::file::{self, At, FileError};
use crate::oci::{CONFIG, Descriptor, Index, MANIFEST, Manifest, REF_NAME};
use crate::progress::Meter;
use crate::{Compression, Digest, Limits, Phase, Reference};

/// A layer of an image that is being added.
#[derive(Debug, Clone)]
pub(crate) struct LayerBlob {
    pub(crate) blob: StagedBlob,
    pub(crate) media_type: String,
    /// What the media type promises; `None` where the archive has no labels.
    pub(crate) labelled: Option<Compression>,
}

/// An image that is being added. Its blobs are verified against their digests already.
#[derive(Debug, Clone)]
pub(crate) struct NewImage {
    /// The manifest as it came; `None` if one is to be made.
    pub(crate) manifest: Option<Vec<u8>>,
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<LayerBlob>,
    pub(crate) names: Vec<Reference>,
}

/// An image whose file system is built.
struct Built {
    manifest: StagedBlob,
    config: StagedBlob,
    layers: Vec<StagedBlob>,
    erofs: std::path::PathBuf,
    names: Vec<Reference>,
}

impl Store {
    /// Builds the images' file systems and adds them all, or none.
    pub(crate) fn add(
        &self,
        staging: &Staging,
        images: Vec<NewImage>,
        limits: &Limits,
        meter: &mut Meter<'_>,
    ) -> Result<Vec<Image>, StoreError> {
        meter.enter(Phase::Unpacking);
        let mut built = Vec::new();
        for image in images {
            built.push(build(staging, image, limits, meter)?);
        }
        meter.enter(Phase::Storing);
        self.install(built)
    }

    fn install(&self, images: Vec<Built>) -> Result<Vec<Image>, StoreError> {
        for blob in images.iter().flat_map(|image| [&image.manifest, &image.config].into_iter().chain(&image.layers)) {
            File::open(&blob.path).and_then(|file| file.sync_data()).at("synchronise", &blob.path)?;
        }
        let _lock = self.lock()?;
        let mut index = self.read_index()?;
        let mut placed = BTreeSet::new();
        for image in &images {
            for blob in [&image.manifest, &image.config].into_iter().chain(&image.layers) {
                // Images of one archive share blobs; and an intact copy of the store is replaced by the same bytes.
                if placed.insert(blob.digest) {
                    place(&blob.path, &self.blob_file(blob.digest))?;
                }
            }
            place(&image.erofs, &self.erofs_file(image.manifest.digest))?;
        }
        file::sync_directory(&self.dir.join("blobs/sha256"))?;
        file::sync_directory(&self.dir.join("erofs"))?;
        let entries: Vec<Descriptor> = images.iter().flat_map(Built::entries).collect();
        entries.iter().for_each(|entry| enter(&mut index, entry));
        self.write_index(&index)?;
        entries.iter().map(|entry| self.image(entry)).collect()
    }
}

/// Puts an entry into the index. An image that loses its last name to it stays, without name: instances may need it.
fn enter(index: &mut Index, entry: &Descriptor) {
    let known = |index: &Index, digest| index.manifests.iter().any(|other| other.digest == digest);
    let Some(name) = entry.ref_name() else {
        if !known(index, entry.digest) {
            index.manifests.push(entry.clone());
        }
        return;
    };
    let position = index.manifests.iter().position(|old| old.ref_name() == Some(name));
    let previous = position.map(|position| index.manifests.remove(position));
    index.manifests.retain(|old| old.digest != entry.digest || old.ref_name().is_some());
    index.manifests.push(entry.clone());
    if let Some(mut previous) = previous.filter(|previous| !known(index, previous.digest)) {
        previous.annotations.remove(REF_NAME);
        index.manifests.push(previous);
    }
}

fn place(from: &std::path::Path, to: &std::path::Path) -> Result<(), FileError> {
    fs::rename(from, to).at("put in place", to)
}

impl Built {
    /// The index's entries: one for each name.
    fn entries(&self) -> Vec<Descriptor> {
        let plain = Descriptor::new(MANIFEST, self.manifest.digest, self.manifest.size);
        if self.names.is_empty() {
            return vec![plain];
        }
        let named = |name: &Reference| {
            let mut entry = plain.clone();
            entry.annotations.extend(name.tagged().map(|name| (REF_NAME.to_owned(), name)));
            entry
        };
        self.names.iter().map(named).collect()
    }
}

fn build(staging: &Staging, image: NewImage, limits: &Limits, meter: &mut Meter<'_>) -> Result<Built, StoreError> {
    let config = staging.add_bytes(&image.config)?;
    let manifest = match image.manifest {
        Some(manifest) => manifest,
        None => make_manifest(&config, &image.layers)?,
    };
    let manifest = staging.add_bytes(&manifest)?;
    let parsed: ConfigFile = serde_json::from_slice(&image.config)
        .map_err(|source| StoreError::Document { digest: config.digest, source })?;
    let files = layer_files(manifest.digest, image.layers.iter().cloned(), &parsed.rootfs.diff_ids)?;
    let erofs = staging.new_path();
    assemble(&files, &erofs, limits, meter)?;
    let layers = image.layers.into_iter().map(|layer| layer.blob).collect();
    Ok(Built { manifest, config, layers, erofs, names: image.names })
}

fn make_manifest(config: &StagedBlob, layers: &[LayerBlob]) -> Result<Vec<u8>, FileError> {
    let layers = layers.iter().map(|layer| Descriptor::new(&layer.media_type, layer.blob.digest, layer.blob.size));
    let manifest = Manifest::new(Descriptor::new(CONFIG, config.digest, config.size), layers.collect());
    serde_json::to_vec(&manifest).map_err(std::io::Error::from).at("encode the manifest of", &config.path)
}

/// Joins the manifest's layers with the configuration's digests of their contents.
pub(super) fn layer_files(
    image: Digest,
    layers: impl ExactSizeIterator<Item = LayerBlob>,
    diff_ids: &[Digest],
) -> Result<Vec<LayerFile>, StoreError> {
    if layers.len() != diff_ids.len() {
        return Err(StoreError::LayerCount { digest: image, layers: layers.len(), diff_ids: diff_ids.len() });
    }
    let file = |(layer, diff_id): (LayerBlob, &Digest)| LayerFile {
        path: layer.blob.path,
        digest: layer.blob.digest,
        labelled: layer.labelled,
        diff_id: *diff_id,
    };
    Ok(layers.zip(diff_ids).map(file).collect())
}
