//! Loads images that other tools made: OCI layouts and `docker save` archives.

mod docker;
mod error;
mod layout;
mod source;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

pub use error::LoadError;

use crate::config::ConfigFile;
use crate::oci::Platform;
use crate::progress::Meter;
use crate::store::{NewImage, Staging};
use crate::{Image, Limits, OnProgress, Phase, Reference, Store};
use source::Source;

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// A name to give instead of the archive's own; only for archives with one image.
    pub name: Option<Reference>,
    /// What the archive may cost.
    pub limits: Limits,
}

/// Loads all images for this machine from an archive: an OCI layout or the output of `docker save`, plain or compressed
/// with gzip or zstd. All of them are added, or, with an error, none.
pub fn load(
    store: &Store,
    archive: impl Read,
    options: &LoadOptions,
    on_progress: OnProgress<'_>,
) -> Result<Vec<Image>, LoadError> {
    let mut meter = Meter::new(on_progress, Phase::Reading);
    let staging = Staging::new(store)?;
    let source = Source::archive(&staging, archive, &options.limits, &mut meter)?;
    add(store, &staging, source, options, meter)
}

/// Loads all images for this machine from a directory with the files of an archive, as `skopeo copy … oci:DIRECTORY`
/// makes it.
pub fn load_directory(
    store: &Store,
    directory: &Path,
    options: &LoadOptions,
    on_progress: OnProgress<'_>,
) -> Result<Vec<Image>, LoadError> {
    let meter = Meter::new(on_progress, Phase::Reading);
    let staging = Staging::new(store)?;
    let source = Source::directory(&staging, directory.to_owned());
    add(store, &staging, source, options, meter)
}

fn add(
    store: &Store,
    staging: &Staging,
    mut source: Source<'_>,
    options: &LoadOptions,
    mut meter: Meter<'_>,
) -> Result<Vec<Image>, LoadError> {
    let limits = &options.limits;
    // Newer versions of Docker write both; the layout has the digests.
    let mut images = if source.has("oci-layout") && source.has("index.json") {
        layout::images(&mut source, limits)?
    } else if source.has("manifest.json") {
        docker::images(&mut source, limits)?
    } else {
        return Err(LoadError::NotAnImage);
    };
    if let Some(name) = &options.name {
        let count = images.len();
        let [image] = &mut images[..] else { return Err(LoadError::NameForMany(count)) };
        image.names = vec![name.clone()];
    }
    Ok(store.add(staging, images, limits, &mut meter)?)
}

/// Images that were passed over because they are for other machines.
#[derive(Debug, Default)]
struct WrongPlatforms(BTreeSet<String>);

impl WrongPlatforms {
    fn note(&mut self, os: &str, architecture: &str) {
        // A hostile index must not fill the message.
        if self.0.len() < 16 {
            self.0.insert(format!("{os}/{architecture}").escape_debug().take(64).collect());
        }
    }

    /// Whether an image runs here; if not, its platform is noted.
    fn accepts(&mut self, config: &ConfigFile) -> bool {
        let platform = Platform { architecture: config.architecture.clone(), os: config.os.clone() };
        if !platform.is_ours() {
            self.note(&platform.os, &platform.architecture);
        }
        platform.is_ours()
    }

    /// The images, if there are any.
    fn unless_empty(self, images: Vec<NewImage>) -> Result<Vec<NewImage>, LoadError> {
        if images.is_empty() {
            return Err(LoadError::NoPlatform { found: self.0.into_iter().collect() });
        }
        Ok(images)
    }
}
