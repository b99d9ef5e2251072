//! System-call filters (seccomp(2)) built as a sorted binary tree.
//!
//! A linear list of some 380 numbers costs up to that many comparisons for each call. The tree needs about seven, and
//! neighbouring numbers with the same verdict are one leaf. Building it takes microseconds, so no file is cached.

mod docker;
mod install;
mod tree;

pub use docker::container_default;
pub use install::Program;
pub use tree::{Check, FilterError, Rule, Verdict, compile};
