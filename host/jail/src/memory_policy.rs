//! set_mempolicy(2) and personality(2), which neither rustix nor every C library wraps.
#![allow(unsafe_code)]

use std::io;

/// Sets the NUMA memory policy of this thread and all that it becomes or starts.
///
/// `mode` is one of `MPOL_*` with `MPOL_F_*` flags added; bit n of word n / 64 of `nodes` stands for node n.
pub fn set_memory_policy(mode: i32, nodes: &[u64]) -> io::Result<()> {
    // The kernel takes one bit less than it is told (set_mempolicy(2), "maxnode").
    let bits = if nodes.is_empty() { 0 } else { nodes.len() * 64 + 1 };
    let mask = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the mask is as long as `bits` says, outlives the call and is only read; a null mask has no bits.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the execution domain (`PER_*` of linux/personality.h) of this process and all that it becomes or starts.
pub fn set_personality(persona: u32) -> io::Result<()> {
    // SAFETY: an integer only.
    let result = unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(persona)) };
    if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
