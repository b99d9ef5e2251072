//! OCI image layouts (image-layout.md).

use serde::de::DeserializeOwned;

use super::source::{Source, read_document};
use super::{LoadError, WrongPlatforms};
use crate::config::ConfigFile;
use crate::oci::{CONTAINERD_NAME, Descriptor, Index, Manifest, layer_compression};
use crate::store::{LayerBlob, NewImage, StagedBlob};
use crate::{Limits, Reference};

const MAX_NESTING: usize = 4;

/// All images of the layout that run here.
pub(super) fn images(source: &mut Source<'_>, limits: &Limits) -> Result<Vec<NewImage>, LoadError> {
    let bytes = source.document("index.json", limits)?;
    let index: Index = parse("index.json", &bytes)?;
    let mut wrong = WrongPlatforms::default();
    let mut found: Vec<(Descriptor, Vec<Reference>)> = Vec::new();
    for entry in &index.manifests {
        let names: Vec<Reference> = name_of(entry).into_iter().collect();
        let Some(manifest) = select(source, entry, limits, MAX_NESTING, &mut wrong)? else { continue };
        match found.iter_mut().find(|(other, _)| other.digest == manifest.digest) {
            Some((_, others)) => others.extend(names),
            None => found.push((manifest, names)),
        }
    }
    let mut images = Vec::new();
    for (descriptor, names) in found {
        images.extend(image(source, &descriptor, names, limits, &mut wrong)?);
    }
    wrong.unless_empty(images)
}

fn name_of(entry: &Descriptor) -> Option<Reference> {
    entry.annotations.get(CONTAINERD_NAME).map(String::as_str).or(entry.ref_name())?.parse().ok()
}

/// The manifest for this machine that an entry means, through further indexes.
fn select(
    source: &mut Source<'_>,
    entry: &Descriptor,
    limits: &Limits,
    depth: usize,
    wrong: &mut WrongPlatforms,
) -> Result<Option<Descriptor>, LoadError> {
    if let Some(platform) = entry.platform.as_ref().filter(|platform| !platform.is_ours()) {
        wrong.note(&platform.os, &platform.architecture);
        return Ok(None);
    }
    if !entry.is_index() {
        // Signatures and other artifacts stand in the index too. Old tools leave the type of manifests out.
        return Ok((entry.is_manifest() || entry.media_type.is_empty()).then(|| entry.clone()));
    }
    let depth = depth.checked_sub(1).ok_or(LoadError::TooDeep(MAX_NESTING))?;
    let (name, bytes) = described(source, entry, limits)?;
    let index: Index = parse(&name, &bytes)?;
    for inner in &index.manifests {
        if let Some(found) = select(source, inner, limits, depth, wrong)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn image(
    source: &mut Source<'_>,
    descriptor: &Descriptor,
    names: Vec<Reference>,
    limits: &Limits,
    wrong: &mut WrongPlatforms,
) -> Result<Option<NewImage>, LoadError> {
    let (name, bytes) = described(source, descriptor, limits)?;
    let manifest: Manifest = parse(&name, &bytes)?;
    if manifest.layers.len() > limits.layers {
        return Err(LoadError::TooManyLayers { layers: manifest.layers.len(), limit: limits.layers });
    }
    let (config_name, config) = described(source, &manifest.config, limits)?;
    let platform: ConfigFile = parse(&config_name, &config)?;
    if !wrong.accepts(&platform) {
        return Ok(None);
    }
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        let media_type = layer.media_type.clone();
        let Some(labelled) = layer_compression(&media_type) else {
            return Err(LoadError::LayerType { digest: layer.digest, media_type });
        };
        layers.push(LayerBlob { blob: sized(source, layer)?, media_type, labelled: Some(labelled) });
    }
    Ok(Some(NewImage { manifest: Some(bytes), config, layers, names }))
}

/// The document that a descriptor means, with its name.
fn described(
    source: &mut Source<'_>,
    descriptor: &Descriptor,
    limits: &Limits,
) -> Result<(String, Vec<u8>), LoadError> {
    let name = descriptor.digest.to_string();
    let blob = sized(source, descriptor)?;
    let bytes = read_document(&name, &blob, limits)?;
    Ok((name, bytes))
}

fn sized(source: &mut Source<'_>, descriptor: &Descriptor) -> Result<StagedBlob, LoadError> {
    let blob = source.blob(descriptor.digest)?;
    if blob.size == descriptor.size {
        return Ok(blob);
    }
    Err(LoadError::SizeMismatch { digest: descriptor.digest, expected: descriptor.size, found: blob.size })
}

pub(super) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, LoadError> {
    serde_json::from_slice(bytes).map_err(|source| LoadError::Document { name: name.to_owned(), source })
}
