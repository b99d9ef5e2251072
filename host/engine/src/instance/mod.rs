//! Instances on disk: one directory each, holding the plan, the state, the log and the supervisor's socket and lock.
//!
//! The directory is the truth. A supervisor holds an exclusive flock(2) on `supervisor.lock` as long as it lives, so whether
//! it lives is one system call away and cannot be mistaken for another process with a recycled id.

mod files;
mod names;
mod process;
mod record;
mod store;

pub(crate) use files::{Lock, create_new, read_small, write_atomic, write_plain};
pub(crate) use names::invent as invent_name;
pub(crate) use process::ProcessId;
pub use record::{CheckLog, Checked, Health, Record, Status};
pub use store::Instance;
pub(crate) use store::Instances;
