use std::path::PathBuf;

use crate::{AssembleError, Digest, FileError, Reference};

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file of the store failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such image.
    #[error(
        "there is no image '{reference}'; 'coracle image ls' shows what there is, 'coracle image pack' and 'coracle image load' add images"
    )]
    NotFound {
        /// What was asked for.
        reference: Reference,
    },
    /// The beginning of a digest fits several images.
    #[error("several images have a digest that begins with '{prefix}'; give more digits or the name")]
    Ambiguous {
        /// The digits.
        prefix: String,
    },
    /// The index is no valid document.
    #[error("the image store is damaged: '{}' cannot be understood; restore it, or remove it and load the images again", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A manifest or configuration is missing.
    #[error(
        "the image store is damaged: {digest} is missing; remove the image with 'coracle image rm' and load it again"
    )]
    MissingBlob {
        /// The blob.
        digest: Digest,
    },
    /// A manifest or configuration has another digest than its name says.
    #[error(
        "the image store is damaged: {digest} has other contents than it should; remove the image with 'coracle image rm' and load it again"
    )]
    CorruptBlob {
        /// The blob.
        digest: Digest,
    },
    /// A manifest or configuration is intact, but not what the specification describes.
    #[error(
        "{digest} is not a valid image manifest or configuration; remove the image and ask its maker for a valid one"
    )]
    Document {
        /// The blob.
        digest: Digest,
        /// Why.
        source: serde_json::Error,
    },
    /// The image's file system is missing.
    #[error("the file system of image {digest} is missing; run 'coracle system check --fix' to build it again")]
    MissingFileSystem {
        /// The image.
        digest: Digest,
    },
    /// A configuration lists other layers than the manifest.
    #[error("image {digest} has {layers} layers, but its configuration lists {diff_ids}; the image is malformed")]
    LayerCount {
        /// The image.
        digest: Digest,
        /// Layers of the manifest.
        layers: usize,
        /// Layers of the configuration.
        diff_ids: usize,
    },
    /// The file system cannot be built.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
}
