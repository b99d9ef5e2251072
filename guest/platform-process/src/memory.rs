//! Application memory: mappings of the host, bounded to the application's range.
#![allow(unsafe_code)]

use linux_abi::{Errno, nr};
use platform::{MapSource, Prot, UserRange};

use crate::{fd, host, layout};

pub(crate) fn bits(prot: Prot) -> u64 {
    let bit = |set: bool, bit: u64| if set { bit } else { 0 };
    bit(prot.read, host::PROT_READ) | bit(prot.write, host::PROT_WRITE) | bit(prot.exec, host::PROT_EXEC)
}

fn check(range: UserRange) -> Result<UserRange, Errno> {
    let fits = range.len() <= layout::MAX_LENGTH && layout::is_user_range(range.start, range.len());
    if fits { Ok(range) } else { Err(Errno::ENOMEM) }
}

/// Maps pages over whatever is there.
pub(crate) fn map(range: UserRange, prot: Prot, source: MapSource) -> Result<(), Errno> {
    let range = check(range)?;
    let (kind, file, offset) = match source {
        MapSource::Anonymous => (host::MAP_PRIVATE | host::MAP_ANONYMOUS | host::MAP_NORESERVE, u64::MAX, 0),
        MapSource::Image(offset) => (host::MAP_PRIVATE, fd::IMAGE.into(), offset),
        MapSource::HostPrivate(handle, offset) => (host::MAP_PRIVATE, handle.into(), offset),
        MapSource::HostShared(handle, offset) => (host::MAP_SHARED, handle.into(), offset),
    };
    let args = [range.start, range.len(), bits(prot), kind | host::MAP_FIXED, file, offset];
    // SAFETY: the range is the application's, where the kernel keeps nothing.
    host::check(unsafe { host::call(nr::MMAP, args) }).map(drop)
}

/// Removes mappings.
pub(crate) fn unmap(range: UserRange) -> Result<(), Errno> {
    let range = check(range)?;
    // SAFETY: as in `map`.
    host::check(unsafe { host::call(nr::MUNMAP, [range.start, range.len(), 0, 0, 0, 0]) }).map(drop)
}

/// Changes the protection.
pub(crate) fn protect(range: UserRange, prot: Prot) -> Result<(), Errno> {
    let range = check(range)?;
    // SAFETY: as in `map`.
    host::check(unsafe { host::call(nr::MPROTECT, [range.start, range.len(), bits(prot), 0, 0, 0]) }).map(drop)
}

/// Gives pages back.
pub(crate) fn discard(range: UserRange) -> Result<(), Errno> {
    let range = check(range)?;
    let args = [range.start, range.len(), host::MADV_DONTNEED, 0, 0, 0];
    // SAFETY: as in `map`.
    host::check(unsafe { host::call(nr::MADVISE, args) }).map(drop)
}
