//! The ids of a new user namespace (user_namespaces(7)).

use std::io;
use std::process::Command;

use oci_spec::runtime::LinuxIdMapping;
use rustix::io::Errno;

use crate::spec::{Namespaces, id_map_text};

/// Maps them: by ourselves where we may, otherwise with the programs newuidmap(1) and newgidmap(1).
pub(super) fn map(pid: i32, namespaces: &Namespaces<'_>) -> io::Result<()> {
    let privileged = rustix::process::geteuid().is_root();
    if !privileged {
        let own =
            |mappings: &[LinuxIdMapping], id: u32| matches!(mappings, [one] if one.size() == 1 && one.host_id() == id);
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if !(own(namespaces.uids, uid) && own(namespaces.gids, gid)) {
            run("newuidmap", pid, namespaces.uids)?;
            return run("newgidmap", pid, namespaces.gids);
        }
        // Who maps only himself must not drop groups by that.
        std::fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
    }
    std::fs::write(format!("/proc/{pid}/uid_map"), id_map_text(namespaces.uids))?;
    std::fs::write(format!("/proc/{pid}/gid_map"), id_map_text(namespaces.gids))
}

fn run(program: &str, pid: i32, mappings: &[LinuxIdMapping]) -> io::Result<()> {
    let mut command = Command::new(program);
    command.arg(pid.to_string());
    for mapping in mappings {
        command.args([mapping.container_id(), mapping.host_id(), mapping.size()].map(|number| number.to_string()));
    }
    match command.status()?.success() {
        true => Ok(()),
        false => Err(Errno::PERM.into()),
    }
}
