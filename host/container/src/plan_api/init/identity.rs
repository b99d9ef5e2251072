use std::io;

use plan::User;
use rustix::process::Gid;
use rustix::thread::CapabilitySet;

/// The capabilities that Docker leaves to a container.
const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::AUDIT_WRITE)
    .union(CapabilitySet::SETFCAP);

/// Becomes the program's user with no more than the default capabilities, and never more than that again.
///
/// Where nothing restricts which devices may be opened, no device node may be made either.
pub(super) fn assume(user: &User, device_nodes: bool) -> io::Result<()> {
    let allowed = if device_nodes { DEFAULT } else { DEFAULT.difference(CapabilitySet::MKNOD) };
    jail::bound_capabilities(allowed)?;
    let groups: Vec<Gid> = user.additional_gids.iter().map(|gid| Gid::from_raw(*gid)).collect();
    jail::become_user(user.uid, user.gid, &groups)?;
    jail::set_capabilities(if user.uid == 0 { allowed } else { CapabilitySet::empty() })?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}
