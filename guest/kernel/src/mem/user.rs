//! Single values, slices and strings of the application.
#![allow(unsafe_code)] // `Pod` values are filled as raw bytes; the bound that makes this sound is the unsafe trait.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::{MaybeUninit, size_of};

use linux_abi::Errno;
use platform::UserAddr;

use crate::machine::machine;

/// A type of which every bit pattern is a value and which has no padding.
///
/// # Safety
/// The implementor promises exactly that: `repr(C)` or a primitive, no padding, no pointers, no `bool`s or enums.
pub(crate) unsafe trait Pod: Copy + 'static {}

macro_rules! pod {
    ($($t:ty),*) => { $(
        // SAFETY: a primitive integer, or an array of them.
        unsafe impl Pod for $t {}
    )* };
}
pod!(u8, i8, u16, i16, u32, i32, u64, i64);
// SAFETY: an array of such a type has no padding of its own.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// Reads one value.
pub(crate) fn read_value<T: Pod>(at: UserAddr) -> Result<T, Errno> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: `value` is size_of::<T>() zeroed bytes, exclusively borrowed here.
    let bytes = unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    machine().copy_from_user(at, bytes)?;
    // SAFETY: every bit pattern is a `T` (Pod).
    Ok(unsafe { value.assume_init() })
}

/// Writes one value.
pub(crate) fn write_value<T: Pod>(at: UserAddr, value: &T) -> Result<(), Errno> {
    // SAFETY: a Pod has no padding, so all of its bytes are initialised.
    let bytes = unsafe { core::slice::from_raw_parts(core::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) };
    Ok(machine().copy_to_user(at, bytes)?)
}

/// Reads `count` values; the caller has bounded `count`.
pub(crate) fn read_slice<T: Pod>(at: UserAddr, count: usize) -> Result<Vec<T>, Errno> {
    (0..count).map(|i| read_value(at.add((i * size_of::<T>()) as u64))).collect()
}

/// Writes values one behind the other.
pub(crate) fn write_slice<T: Pod>(at: UserAddr, values: &[T]) -> Result<(), Errno> {
    // SAFETY: as in `write_value`; a slice has no padding between its elements.
    let bytes = unsafe { core::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) };
    Ok(machine().copy_to_user(at, bytes)?)
}

/// Reads a string up to its zero byte; `limit` counts the zero byte too. `ENAMETOOLONG` if there is none within the limit.
pub(crate) fn read_cstr(at: UserAddr, limit: usize) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    while text.len() < limit {
        let here = at.add(text.len() as u64);
        // Never across a page boundary: the next page may be unmapped behind the string's end.
        let in_page = (platform::PAGE_SIZE - here.0 % platform::PAGE_SIZE) as usize;
        let mut piece = vec![0u8; in_page.min(256).min(limit - text.len())];
        machine().copy_from_user(here, &mut piece)?;
        if let Some(end) = piece.iter().position(|b| *b == 0) {
            text.extend_from_slice(&piece[..end]);
            return Ok(text);
        }
        text.extend_from_slice(&piece);
    }
    Err(Errno::ENAMETOOLONG)
}
