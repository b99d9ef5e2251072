//! Single values, slices and strings of the application.

use alloc::vec;
use alloc::vec::Vec;

use linux_abi::{Errno, Pod};
use platform::UserAddr;

use crate::machine::machine;

/// Reads one value.
#[inline]
pub(crate) fn read_value<T: Pod>(at: UserAddr) -> Result<T, Errno> {
    let mut value = T::zeroed();
    machine().copy_from_user(at, value.bytes_mut())?;
    Ok(value)
}

/// Writes one value.
#[inline]
pub(crate) fn write_value<T: Pod>(at: UserAddr, value: &T) -> Result<(), Errno> {
    Ok(machine().copy_to_user(at, value.bytes())?)
}

/// Reads `count` values; the caller has bounded `count`.
pub(crate) fn read_slice<T: Pod>(at: UserAddr, count: usize) -> Result<Vec<T>, Errno> {
    let mut values = vec![T::zeroed(); count];
    machine().copy_from_user(at, T::slice_bytes_mut(&mut values))?;
    Ok(values)
}

/// Writes values one behind the other.
pub(crate) fn write_slice<T: Pod>(at: UserAddr, values: &[T]) -> Result<(), Errno> {
    Ok(machine().copy_to_user(at, T::slice_bytes(values))?)
}

/// Reads a string up to its zero byte; `limit` counts the zero byte too. `ENAMETOOLONG` if there is none within the limit.
pub(crate) fn read_cstr(at: UserAddr, limit: usize) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    let mut piece = [0u8; 256];
    while text.len() < limit {
        let here = at.add(text.len() as u64);
        // Never across a page boundary: the next page may be unmapped behind the string's end.
        let in_page = (platform::PAGE_SIZE - here.0 % platform::PAGE_SIZE) as usize;
        let piece = &mut piece[..in_page.min(256).min(limit - text.len())];
        machine().copy_from_user(here, piece)?;
        if let Some(end) = piece.iter().position(|b| *b == 0) {
            text.extend_from_slice(&piece[..end]);
            return Ok(text);
        }
        text.extend_from_slice(piece);
    }
    Err(Errno::ENAMETOOLONG)
}
