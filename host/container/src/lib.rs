//! The container level: processes of the host kernel behind namespaces, control groups, capabilities and a system-call
//! filter.
//!
//! [`create`] clones the container's first process into new namespaces and returns at once; the child builds its root file
//! system and its `/proc`, `/dev` and `/sys` by the ordered stages of [`Stage`] meanwhile, and then waits. [`Created::start`]
//! releases it and returns when the program has been executed, or says why not. [`exec`] runs another program in a running
//! container.
//!
//! The calling process must have one thread: the child is a complete copy of it (see [`jail::clone_process`]). Everything
//! in the container's root is reached by descriptor with `RESOLVE_IN_ROOT`, never by path, because the image's author
//! chooses what is a symbolic link there.

mod create;
mod error;
mod exec;
mod image;
mod init;
mod leftovers;
mod message;
mod root;
mod running;

pub use create::{Created, EtcFiles, create};
pub use error::{Error, Stage};
pub use exec::{Target, exec};
pub use leftovers::{destroy, orphans};
pub use running::Running;
