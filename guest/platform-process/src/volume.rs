//! Host calls on volumes.
#![allow(unsafe_code)] // the kernel composes the call's arguments itself

use linux_abi::Errno;

use crate::filter::{RULES, When};
use crate::host;
use crate::state::state;

/// Makes a call if it is one of the table's calls on volumes and the instance has volumes.
pub(crate) fn call(number: u32, args: [u64; 6]) -> i64 {
    let known = RULES.iter().any(|r| r.number == number && r.when == When::Volumes && r.checks.is_empty());
    if !known || state().info.volumes.count() == 0 {
        return Errno::ENOSYS.to_return();
    }
    // SAFETY: none of these calls changes mappings; the memory that they read and write is named by the kernel, which passes
    // its own buffers.
    unsafe { host::call(number, args) }
}
