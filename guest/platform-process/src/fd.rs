//! The descriptors that the host's launcher hands over, by number (the twin of `host/unikernel/src/descriptors.rs`).

/// Standard error, also for messages of the kernel.
pub(crate) const STDERR: u32 = 2;
/// The boot information; closed after boot.
pub(crate) const BOOT_INFO: u32 = 3;
/// The image's EROFS file.
pub(crate) const IMAGE: u32 = 4;
/// The TAP device, if there is a network.
pub(crate) const TAP: u32 = 5;
/// The pipe on which the launcher waits for the start's outcome.
pub(crate) const STATUS: u32 = 6;
/// The table of system call instructions, if there is one; closed after boot.
pub(crate) const TABLE: u32 = 7;
