//! Layers: compressed tar streams, applied one after the other to a tree (OCI image-spec, layer.md).

mod compression;
mod pax;
mod sparse;
mod tar;
mod unpack;

pub use compression::Compression;
pub(crate) use compression::Decoder;
pub(crate) use pax::record as pax_record;
pub use tar::TarError;
pub(crate) use tar::{Entry, EntryKind, TarReader};
pub use unpack::LayerError;
pub(crate) use unpack::Unpacker;
