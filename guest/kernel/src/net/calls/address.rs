//! Socket addresses to and from the application.

use linux_abi::Errno;
use platform::UserAddr;

use super::Result;
use crate::machine::machine;
use crate::mem::{read_value, write_slice, write_value};
use crate::net::address::{LARGEST, SockAddr, decode, encode};

/// Reads an address of `len` bytes for a socket of a family.
pub(super) fn read(at: UserAddr, len: u32, family: u16) -> Result<SockAddr> {
    let len = len as usize;
    if len > LARGEST {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0u8; LARGEST];
    machine().copy_from_user(at, &mut bytes[..len])?;
    decode(&bytes[..len], family)
}

/// Reads an address if there is one.
pub(super) fn read_optional(at: UserAddr, len: u32, family: u16) -> Result<Option<SockAddr>> {
    match at.is_null() || len == 0 {
        true => Ok(None),
        false => read(at, len, family).map(Some),
    }
}

/// Writes as much of an address as fits into `room` bytes; gives its whole length.
pub(super) fn write(at: UserAddr, room: usize, address: Option<&SockAddr>, family: u16) -> Result<u32> {
    let Some(address) = address else { return Ok(0) };
    let (bytes, len) = encode(address, family);
    write_slice(at, &bytes[..len.min(room)])?;
    Ok(len as u32)
}

/// Writes an address for whom `length` points to the room, and afterwards to the whole length. Nothing if `at` is null.
pub(super) fn write_counted(at: UserAddr, length: UserAddr, address: Option<&SockAddr>, family: u16) -> Result<()> {
    if at.is_null() {
        return Ok(());
    }
    let room = read_value::<i32>(length)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let len = write(at, room, address, family)?;
    write_value(length, &len)
}
