use crate::{Digest, DigestError, FileError, StoreError, TarError};

/// An archive or layout that cannot be loaded. Nothing of it stays.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file of the host failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The archive itself cannot be read.
    #[error(transparent)]
    Archive(#[from] TarError),
    /// The source could not be copied.
    #[error("cannot read the image's source")]
    Source(#[source] std::io::Error),
    /// There are too many files in the archive.
    #[error("the archive has more than {0} files, which no image archive needs")]
    TooManyFiles(u64),
    /// It is an archive or directory, but of something else.
    #[error(
        "this is not an image: it has neither 'oci-layout' and 'index.json' nor 'manifest.json'; make one with 'docker save' or 'skopeo copy docker://NAME oci-archive:FILE'"
    )]
    NotAnImage,
    /// A file that the image consists of is missing.
    #[error("the image is incomplete: '{0}' is missing; fetch or create it again")]
    Missing(String),
    /// A blob has other contents than its name says.
    #[error("'{name}' has digest {found}, not the one it is named by; the image is damaged or was tampered with")]
    DigestMismatch {
        /// Its name in the archive.
        name: String,
        /// What it is.
        found: Digest,
    },
    /// A blob has another size than its descriptor says.
    #[error("{digest} has {found} bytes, but {expected} were announced; the image is damaged")]
    SizeMismatch {
        /// The blob.
        digest: Digest,
        /// What the descriptor says.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// A document is larger than allowed.
    #[error("'{name}' has {size} bytes, more than the {limit} that are allowed for a document")]
    DocumentTooLarge {
        /// Its name in the archive.
        name: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A document cannot be understood.
    #[error("'{name}' is not a valid document")]
    Document {
        /// Its name in the archive.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A name that should hold a digest holds something else.
    #[error("'{name}' is malformed")]
    Digest {
        /// Its name in the archive.
        name: String,
        /// Why.
        source: DigestError,
    },
    /// No image in it is for this machine.
    #[error("there is no image for linux/amd64 in it (found: {}); fetch the image with --platform linux/amd64", found.join(", "))]
    NoPlatform {
        /// The platforms that it has images for.
        found: Vec<String>,
    },
    /// Indexes contain each other too deeply.
    #[error("image indexes are nested more than {0} deep")]
    TooDeep(usize),
    /// An image has too many layers.
    #[error("the image has {layers} layers, more than the allowed {limit}")]
    TooManyLayers {
        /// What it has.
        layers: usize,
        /// The limit.
        limit: usize,
    },
    /// A layer is of an unknown kind.
    #[error(
        "layer {digest} has the media type '{media_type}', which is not supported (tar, tar+gzip and tar+zstd are)"
    )]
    LayerType {
        /// The layer.
        digest: Digest,
        /// Its media type.
        media_type: String,
    },
    /// A name was given for several images.
    #[error("the archive has {0} images, so one name cannot be given to them; leave the name out")]
    NameForMany(usize),
    /// The images could not be added to the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
