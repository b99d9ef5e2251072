//! The unikernel level: one program and the library OS in one locked-down host process (the *process machine*).
//!
//! [`start`] turns a plan into a process: it encodes the boot information, opens what the guest needs, and executes the
//! freestanding kernel in an empty container. The kernel closes its filter, loads the program and reports. [`rewrite`] makes
//! the table of system call instructions that the kernel turns into jumps; it is made once per image.

mod boot;
mod descriptors;
mod error;
mod instance;
mod outcome;
pub mod rewrite;
mod start;

pub use error::Error;
pub use instance::{Instance, destroy};
pub use start::{Extra, start};
