//! System-call filters (seccomp(2)) built as a sorted binary tree.
//!
//! A linear list of some 380 numbers costs up to that many comparisons for each call. The tree needs about seven, and
//! neighbouring numbers with the same verdict are one leaf. Building it takes microseconds, so no file is cached.

mod check;
mod docker;
mod evaluate;
mod install;
pub mod oci;
mod tree;

pub use check::{Check, Comparison};
pub use docker::container_default;
pub use evaluate::Call;
pub use install::{FilterFlags, Program};
pub use tree::{ARCH_I386, ARCH_X86_64, FilterError, Rule, Verdict, X32_BIT, compile};
