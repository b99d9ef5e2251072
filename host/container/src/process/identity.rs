use std::io;

use oci_spec::runtime::{Capabilities, LinuxCapabilities, Process};
use rustix::process::Gid;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// Becomes the program's user with the capabilities of the specification, and never more than its bounding set again.
pub(super) fn assume(process: &Process) -> io::Result<()> {
    let (user, capabilities) = (process.user(), process.capabilities().as_ref());
    let set = |of: fn(&LinuxCapabilities) -> &Option<Capabilities>| {
        capabilities.and_then(|sets| of(sets).as_ref()).map_or(CapabilitySet::empty(), bits)
    };
    jail::bound_capabilities(set(LinuxCapabilities::bounding))?;
    let groups: Vec<Gid> = user.additional_gids().iter().flatten().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_keep_capabilities(true)?;
    jail::become_user(user.uid(), user.gid(), &groups)?;
    rustix::thread::set_keep_capabilities(false)?;
    let sets = CapabilitySets {
        effective: set(LinuxCapabilities::effective),
        permitted: set(LinuxCapabilities::permitted),
        inheritable: set(LinuxCapabilities::inheritable),
    };
    rustix::thread::set_capabilities(None, sets)?;
    let ambient = set(LinuxCapabilities::ambient);
    for capability in ambient.iter() {
        // One that is not inheritable cannot be ambient; runc leaves it out, too, and its default specification has such.
        match rustix::thread::configure_capability_in_ambient_set(capability, true) {
            Ok(()) | Err(rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if process.no_new_privileges().unwrap_or(false) {
        rustix::thread::set_no_new_privs(true)?;
    }
    Ok(())
}

fn bits(capabilities: &Capabilities) -> CapabilitySet {
    // Both name them as the kernel does: SYS_ADMIN.
    capabilities.iter().filter_map(|capability| CapabilitySet::from_name(&capability.to_string())).collect()
}
