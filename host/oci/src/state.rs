//! What is known about a container between two commands: the directory `<root>/<id>` with `state.json`, and, as long as its
//! program waits for `start`, the socket `start`.
//!
//! Whoever changes a container holds an flock(2) on its directory. The kernel drops it when the holder dies, so "being
//! created" and "its creator was killed" are told apart without a time limit. `state.json` is written first before
//! anything is made on the host, and says where the control group will be; whatever moment a command is killed at,
//! `delete --force` knows what to remove.

mod entry;
mod process;
mod record;
mod root;

pub(crate) use entry::{Entry, Lock};
pub(crate) use process::{Identity, Process};
pub(crate) use record::{Cgroups, Level};
pub use record::{Record, Status};
pub(crate) use root::Root;
