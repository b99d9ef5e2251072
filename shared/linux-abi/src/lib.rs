//! The Linux x86-64 user interface: system call numbers, error numbers and structures, each with the header it came from.
//!
//! Shared by the library OS (which implements it) and the host (which filters and traces it).
#![no_std]
#![forbid(unsafe_code)]

pub mod errno;
pub mod net;
pub mod nr;

pub use errno::Errno;
