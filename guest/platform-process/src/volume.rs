//! Host calls on volumes.
//!
//! The launcher mounts a volume so that owner *n* of the host's file appears as the process's own user plus *n*: root's files
//! belong to the process, which is nobody on the host. Here that is undone, so the kernel sees and names the owners on disk.
#![allow(unsafe_code)] // the kernel composes the call's arguments itself

use linux_abi::{Errno, nr};

use crate::filter::{RULES, When};
use crate::host;
use crate::state::state;

/// As many owners as the launcher shifts.
const OWNERS: u32 = 1 << 16;
/// The user and group that stand for all others (`/proc/sys/kernel/overflowuid`).
const OVERFLOW: u32 = 65534;
/// `st_uid` of `struct stat`; `st_gid` follows.
const STAT_OWNER: u64 = 28;
/// `stx_uid` of `struct statx`; `stx_gid` follows.
const STATX_OWNER: u64 = 20;

/// Makes a call if it is one of the table's calls on volumes and the instance has volumes.
pub(crate) fn call(number: u32, mut args: [u64; 6]) -> i64 {
    let known = RULES.iter().any(|r| r.number == number && r.when == When::Volumes && r.checks.is_empty());
    if !known || state().info.volumes.count() == 0 {
        return Errno::ENOSYS.to_return();
    }
    if let Some(first) = match number {
        nr::FCHOWN => Some(1),
        nr::FCHOWNAT => Some(2),
        _ => None,
    } {
        args[first] = to_host(args[first], state().user.0);
        args[first + 1] = to_host(args[first + 1], state().user.1);
    }
    // SAFETY: none of these calls changes mappings; the memory that they read and write is named by the kernel, which passes
    // its own buffers.
    let result = unsafe { host::call(number, args) };
    if result == 0 {
        let owner = match number {
            nr::FSTAT => Some(args[1] + STAT_OWNER),
            nr::NEWFSTATAT => Some(args[2] + STAT_OWNER),
            nr::STATX => Some(args[4] + STATX_OWNER),
            _ => None,
        };
        if let Some(owner) = owner {
            // SAFETY: the host has just filled the structure that the kernel named.
            unsafe { translate(owner as *mut [u32; 2]) };
        }
    }
    result
}

/// An owner on disk as the process names it; all ones mean "leave it".
fn to_host(owner: u64, base: u32) -> u64 {
    if owner as u32 == u32::MAX { u32::MAX.into() } else { (owner as u32).wrapping_add(base).into() }
}

/// What the process sees as the owner on disk.
fn from_host(owner: u32, base: u32) -> u32 {
    owner.checked_sub(base).filter(|n| *n < OWNERS).unwrap_or(OVERFLOW)
}

/// # Safety
/// The address is that of user and group in a structure of the kernel's.
unsafe fn translate(at: *mut [u32; 2]) {
    // SAFETY: by the contract.
    unsafe {
        let [user, group] = at.read_unaligned();
        at.write_unaligned([from_host(user, state().user.0), from_host(group, state().user.1)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_there_and_back() {
        let base = 0x4000_1234;
        for owner in [0, 1000, 65535] {
            assert_eq!(from_host(to_host(owner, base) as u32, base), owner as u32);
        }
        assert_eq!(from_host(65534, base), OVERFLOW, "an owner that has no number inside");
        assert_eq!(to_host(u64::MAX, base), u32::MAX.into());
    }
}
