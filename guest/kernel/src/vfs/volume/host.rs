//! Calls on the host's files.

use alloc::vec::Vec;

use linux_abi::fs::{O_CLOEXEC, Stat};
use linux_abi::{Errno, Pod, nr};

use crate::machine::machine;

/// The host's working directory is the root of the empty container.
const HOST_CWD: u64 = -100i64 as u64;

/// An open file of the host.
pub(super) struct Handle(u32);

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = call(nr::CLOSE, [self.0.into(), 0, 0, 0, 0, 0]);
    }
}

/// Makes a call; a negative result is an error.
pub(super) fn call(number: u32, args: [u64; 6]) -> Result<u64, Errno> {
    let result = machine().volume_call(number, args);
    match Errno::from_return(result) {
        Some(error) => Err(error),
        None => Ok(result as u64),
    }
}

/// The address of kernel memory, as the host takes it.
pub(super) fn address<T>(slice: &[T]) -> u64 {
    slice.as_ptr().expose_provenance() as u64
}

/// The same for memory that the host writes to.
pub(super) fn address_mut<T>(slice: &mut [T]) -> u64 {
    slice.as_mut_ptr().expose_provenance() as u64
}

/// A name with a zero byte behind it.
pub(super) fn c_string(name: &[u8]) -> Vec<u8> {
    [name, &[0]].concat()
}

impl Handle {
    /// The number for memory mappings.
    pub(super) fn number(&self) -> u32 {
        self.0
    }

    fn open_at(directory: u64, name: &[u8], flags: u32, mode: u32) -> Result<Self, Errno> {
        let name = c_string(name);
        let fd = call(nr::OPENAT, [directory, address(&name), (flags | O_CLOEXEC).into(), mode.into(), 0, 0])?;
        u32::try_from(fd).map(Self).map_err(|_| Errno::EIO)
    }

    /// Opens a path of the empty container.
    pub(super) fn absolute(path: &str, flags: u32) -> Result<Self, Errno> {
        Self::open_at(HOST_CWD, path.as_bytes(), flags, 0)
    }

    /// Opens a name in this directory.
    pub(super) fn open(&self, name: &[u8], flags: u32, mode: u32) -> Result<Self, Errno> {
        Self::open_at(self.0.into(), name, flags, mode)
    }

    /// A call whose first argument is this file.
    pub(super) fn call(&self, number: u32, args: [u64; 5]) -> Result<u64, Errno> {
        let [a, b, c, d, e] = args;
        call(number, [self.0.into(), a, b, c, d, e])
    }

    /// A call with a name in this directory and up to three more arguments.
    pub(super) fn call_name(&self, number: u32, name: &[u8], more: [u64; 3]) -> Result<u64, Errno> {
        let name = c_string(name);
        let [a, b, c] = more;
        self.call(number, [address(&name), a, b, c, 0])
    }

    /// fstat(2).
    pub(super) fn stat(&self) -> Result<Stat, Errno> {
        let mut stat = [Stat::zeroed()];
        self.call(nr::FSTAT, [address_mut(&mut stat), 0, 0, 0, 0])?;
        let [stat] = core::hint::black_box(stat);
        Ok(stat)
    }
}
