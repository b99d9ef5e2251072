//! Capabilities and identity, in the order in which they can be given up.

use std::io;

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

/// Removes every capability but `keep` from the bounding set, so that no program can ever gain it.
pub fn bound_capabilities(keep: CapabilitySet) -> io::Result<()> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if keep.contains(capability) {
            continue;
        }
        match thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Past the last capability that this kernel knows (`CAP_LAST_CAP`).
            Err(Errno::INVAL) => break,
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Becomes this user and these groups, for good.
///
/// Leaving user 0 empties the permitted and effective sets (capabilities(7)).
pub fn become_user(uid: u32, gid: u32, groups: &[Gid]) -> io::Result<()> {
    thread::set_thread_groups(groups)?;
    let gid = Gid::from_raw(gid);
    thread::set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(uid);
    Ok(thread::set_thread_res_uid(uid, uid, uid)?)
}

/// Makes `sets` the only capabilities of this process, none inheritable.
pub fn set_capabilities(sets: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets { effective: sets, permitted: sets, inheritable: CapabilitySet::empty() };
    Ok(thread::set_capabilities(None, sets)?)
}
