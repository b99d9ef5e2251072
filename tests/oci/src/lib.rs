//! Bundles, and the OCI runtime that runs them, for tests of the real binary.
//!
//! `CORACLE_OCI_BIN` names another runtime than the one that Cargo has built: runc and crun understand the same command
//! line, so a test can show that it tells a weak runtime from a sound one. Each [`Runtime`] has a state directory of its own and
//! leaves nothing.

mod bundle;
mod native;
mod runtime;

pub use bundle::Bundle;
pub use native::compile;
pub use runtime::{Done, Runtime};
