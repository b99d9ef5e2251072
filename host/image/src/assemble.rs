use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::digest::Hashing;
use crate::erofs::WriteError;
use crate::file::{At, FileError};
use crate::layer::{Decoder, LayerError, Unpacker};
use crate::progress::Meter;
use crate::{Compression, Digest, Limits};

/// Layers that do not become a file system.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A file of the host failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A layer is bad.
    #[error("layer {number} ({digest}) cannot be unpacked")]
    Layer {
        /// Its place, from 1, the lowest.
        number: usize,
        /// Its blob.
        digest: Digest,
        /// Why.
        source: Box<LayerError>,
    },
    /// A layer's stream cannot be read to its end.
    #[error("layer {number} ({digest}) cannot be read")]
    Stream {
        /// Its place, from 1, the lowest.
        number: usize,
        /// Its blob.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// A layer is compressed otherwise than its media type says.
    #[error("layer {number} ({digest}) is labelled as {labelled} but is {found}; the image is mislabelled or damaged")]
    Mislabelled {
        /// Its place, from 1, the lowest.
        number: usize,
        /// Its blob.
        digest: Digest,
        /// What the media type says.
        labelled: Compression,
        /// What the bytes are.
        found: Compression,
    },
    /// An unpacked layer has another digest than the configuration says.
    #[error("layer {number} unpacks to {found}, but the image's configuration says {expected}; the image is damaged")]
    DiffId {
        /// Its place, from 1, the lowest.
        number: usize,
        /// What the configuration says.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// The image file cannot be written.
    #[error(transparent)]
    Image(#[from] WriteError),
}

/// One layer to apply.
#[derive(Debug, Clone)]
pub(crate) struct LayerFile {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    /// What its media type promises; `None` without a label.
    pub(crate) labelled: Option<Compression>,
    pub(crate) diff_id: Digest,
}

/// Applies layers, lowest first, and writes the file system into `image`, on the disk when this returns.
pub(crate) fn assemble(
    layers: &[LayerFile],
    image: &Path,
    limits: &Limits,
    meter: &mut Meter<'_>,
) -> Result<(), AssembleError> {
    let file = File::create_new(image).at("create", image)?;
    let mut unpacker = Unpacker::new(file, limits)?;
    let mut left = limits.unpacked_bytes.saturating_add(limits.entries.saturating_mul(4096));
    for (index, layer) in layers.iter().enumerate() {
        left = left.saturating_sub(apply(&mut unpacker, layer, index + 1, left, meter)?);
    }
    unpacker.finish()?.sync_data().at("write", image)?;
    Ok(())
}

/// Applies one layer of at most `limit` unpacked bytes; returns how many there were.
fn apply(
    unpacker: &mut Unpacker,
    layer: &LayerFile,
    number: usize,
    limit: u64,
    meter: &mut Meter<'_>,
) -> Result<u64, AssembleError> {
    let digest = layer.digest;
    let stream = |source| AssembleError::Stream { number, digest, source };
    let file = File::open(&layer.path).at("open", &layer.path)?;
    let (decoder, found) = Decoder::new(BufReader::with_capacity(128 << 10, file), limit).map_err(stream)?;
    if let Some(labelled) = layer.labelled.filter(|labelled| *labelled != found) {
        return Err(AssembleError::Mislabelled { number, digest, labelled, found });
    }
    // The tar reader asks for single records between files: without a buffer each would be hashed by itself.
    let hashed = BufReader::with_capacity(128 << 10, Hashing::new(Metered { inner: decoder, meter }));
    let mut rest =
        unpacker.apply(hashed).map_err(|source| AssembleError::Layer { number, digest, source: Box::new(source) })?;
    io::copy(&mut rest, &mut io::sink()).map_err(stream)?;
    let (_, found, bytes) = rest.into_inner().finish();
    if found != layer.diff_id {
        return Err(AssembleError::DiffId { number, expected: layer.diff_id, found });
    }
    Ok(bytes)
}

struct Metered<'a, 'b, R> {
    inner: R,
    meter: &'a mut Meter<'b>,
}

impl<R: Read> Read for Metered<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.meter.add(read as u64);
        Ok(read)
    }
}
