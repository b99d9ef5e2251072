//! Archives of `docker save` (Moby, "Docker Image Specification v1.2", "Combined Image JSON + Filesystem Changeset
//! Format"): `manifest.json` names the files of each image; only the configuration has digests, those of the layers.

use std::fs::File;
use std::io::Read;

use serde::Deserialize;

use super::layout::parse;
use super::source::{Source, read_document};
use super::{LoadError, WrongPlatforms};
use crate::config::ConfigFile;
use crate::file::At;
use crate::oci::{layer_media_type, null_is_default};
use crate::store::{LayerBlob, NewImage};
use crate::{Compression, Digest, FileError, Limits, Reference};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default, deserialize_with = "null_is_default")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    layers: Vec<String>,
}

/// All images of the archive that run here.
pub(super) fn images(source: &mut Source<'_>, limits: &Limits) -> Result<Vec<NewImage>, LoadError> {
    let bytes = source.document("manifest.json", limits)?;
    let items: Vec<Item> = parse("manifest.json", &bytes)?;
    let mut wrong = WrongPlatforms::default();
    let mut images = Vec::new();
    for item in &items {
        images.extend(image(source, item, limits, &mut wrong)?);
    }
    wrong.unless_empty(images)
}

fn image(
    source: &mut Source<'_>,
    item: &Item,
    limits: &Limits,
    wrong: &mut WrongPlatforms,
) -> Result<Option<NewImage>, LoadError> {
    if item.layers.len() > limits.layers {
        return Err(LoadError::TooManyLayers { layers: item.layers.len(), limit: limits.layers });
    }
    let blob = source.file(&item.config)?;
    if named_digest(&item.config).is_some_and(|digest| digest != blob.digest) {
        return Err(LoadError::DigestMismatch { name: item.config.clone(), found: blob.digest });
    }
    let config = read_document(&item.config, &blob, limits)?;
    let platform: ConfigFile = parse(&item.config, &config)?;
    if !wrong.accepts(&platform) {
        return Ok(None);
    }
    let mut layers = Vec::new();
    for name in &item.layers {
        let blob = source.file(name)?;
        let media_type = layer_media_type(sniff(&blob.path)?).to_owned();
        layers.push(LayerBlob { blob, media_type, labelled: None });
    }
    let names: Vec<Reference> = item.repo_tags.iter().filter_map(|name| name.parse().ok()).collect();
    Ok(Some(NewImage { manifest: None, config, layers, names }))
}

/// The digest in a name such as `4f5e….json` or `blobs/sha256/4f5e…`.
fn named_digest(name: &str) -> Option<Digest> {
    let file = name.rsplit('/').next()?;
    format!("sha256:{}", file.strip_suffix(".json").unwrap_or(file)).parse().ok()
}

fn sniff(path: &std::path::Path) -> Result<Compression, FileError> {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(4).read_to_end(&mut start)).at("read", path)?;
    Ok(Compression::sniff(&start))
}
