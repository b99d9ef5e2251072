//! The Linux x86-64 user interface: system call numbers, error numbers and structures, each with the header it came from.
//!
//! Shared by the library OS (which implements it) and the host (which filters and traces it).
#![no_std]

pub mod errno;
pub mod fs;
pub mod net;
pub mod nr;
pub mod pod;
pub mod poll;
pub mod signal;
pub mod task;
pub mod time;

pub use errno::Errno;
pub use pod::Pod;
