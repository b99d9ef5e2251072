//! The descriptors that the guest finds, by number (the twin of the guest's `platform-process/src/fd.rs`).

use std::os::fd::RawFd;

/// The boot information.
pub(crate) const BOOT_INFO: RawFd = 3;
/// The image's EROFS file.
pub(crate) const IMAGE: RawFd = 4;
/// The TAP device.
pub(crate) const TAP: RawFd = 5;
/// The pipe on which the guest tells how its start went.
pub(crate) const STATUS: RawFd = 6;
/// The table of system call instructions.
pub(crate) const TABLE: RawFd = 7;
