//! Images: names, the content store, packing a host program, loading archives, and layers → one EROFS file.

mod assemble;
mod config;
mod digest;
mod directory;
pub mod erofs;
mod extract;
mod file;
mod layer;
mod limits;
mod load;
mod oci;
mod pack;
mod progress;
mod reference;
mod save;
mod store;
mod tree;
mod user;

pub use assemble::AssembleError;
pub use config::{Healthcheck, ImageConfig};
pub use digest::{Digest, DigestError};
pub use directory::{DirectoryError, write_directory};
pub use erofs::{ErofsError, WriteError};
pub use extract::{ExtractError, extract, extract_root};
pub use file::FileError;
pub use layer::{Compression, LayerError, TarError};
pub use limits::Limits;
pub use load::{LoadError, LoadOptions, load, load_directory};
pub use pack::{Addition, AdditionError, ElfError, Missing, PackError, PackRequest, Packed, pack, parse_ld_so_cache};
pub use progress::{OnProgress, Phase, Progress};
pub use reference::{Reference, ReferenceError};
pub use save::save;
pub use store::{FixError, Image, ImageSummary, LayerInfo, Problem, Removed, Store, StoreError};
pub use tree::TreeError;
pub use user::{UserError, resolve_user};
