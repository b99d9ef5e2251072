//! Layers: compressed tar streams, applied one after the other to a tree (OCI image-spec, layer.md).

mod compression;
mod header;
mod pax;
mod sparse;
mod tar;
mod unpack;

pub use compression::Compression;
pub(crate) use compression::Decoder;
pub(crate) use header::headers as tar_headers;
pub use tar::TarError;
pub(crate) use tar::{Entry, EntryKind, RECORD, TarReader};
pub use unpack::LayerError;
pub(crate) use unpack::Unpacker;
