//! /sys/fs/cgroup: the instance's own groups, read-only, so that a runtime inside finds its limits.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cgroup::Cgroup;
use jail::{MountAttr, OpenTreeFlags, clone_tree};
use rustix::fs::{CWD, Mode};

use super::mounts::{self, HARMLESS};

const PLACE: &std::ffi::CStr = c"fs/cgroup";

/// With version 2 alone its group is /sys/fs/cgroup itself; with version 1 groups each has a directory there, as on a host.
pub(super) fn mount(sys: &OwnedFd, cgroup: &Cgroup) -> io::Result<()> {
    let groups: Vec<_> = cgroup.directories().collect();
    if let [(None, only)] = groups[..] {
        return Ok(mounts::attach_at(view(only)?, sys, PLACE)?);
    }
    let top = mounts::new(c"tmpfs", &[(c"mode", c"0755"), (c"size", c"64k")], HARMLESS)?;
    mounts::attach_at(&top, sys, PLACE)?;
    for (name, path) in groups {
        let name = CString::new(name.unwrap_or("unified"))?;
        rustix::fs::mkdirat(&top, name.as_c_str(), Mode::from_raw_mode(0o755))?;
        mounts::attach_at(view(path)?, &top, &name)?;
    }
    MountAttr::RDONLY.add(top.as_fd(), false)
}

/// A read-only copy of the mount of a group's directory.
fn view(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let copy = clone_tree(CWD, &path, OpenTreeFlags::empty())?;
    (MountAttr::RDONLY | MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOEXEC).add(copy.as_fd(), false)?;
    Ok(copy)
}
