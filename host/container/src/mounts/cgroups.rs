//! The container's own groups, so that a runtime inside finds its limits.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cgroup::Group;
use jail::{MountAttr, OpenTreeFlags, clone_tree};
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;

use super::attach::{Content, Tree};
use super::file_system::{self, HARMLESS, attach_at};
use crate::root::Kind;
use crate::spec::Mount;

/// With version 2 alone its group is the mount itself; with version 1 groups each has a directory there, as on a host.
pub(super) fn mount(tree: &mut Tree, mount: &Mount<'_>, cgroup: &Group) -> io::Result<()> {
    let attributes = mount.attributes.set | MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOEXEC;
    let groups: Vec<_> = cgroup.directories().collect();
    let destination = &mount.destination;
    match groups[..] {
        [] => tree.attach(without_group(attributes)?, destination, Content::Foreign, Kind::Directory),
        [(None, only)] => tree.attach(view(only, attributes)?, destination, Content::Foreign, Kind::Directory),
        _ => {
            let top = each_below_one(&groups)?;
            let copy = top.try_clone()?;
            tree.attach(top, destination, Content::Foreign, Kind::Directory)?;
            fill(&copy, &groups, attributes)
        }
    }
}

fn each_below_one(groups: &[(Option<&str>, &Path)]) -> io::Result<OwnedFd> {
    let top = file_system::new(c"tmpfs", &[(c"mode", c"0755"), (c"size", c"64k")], HARMLESS)?;
    for (name, _) in groups {
        let name = name.unwrap_or("unified");
        rustix::fs::mkdirat(&top, name, Mode::from_raw_mode(0o755))?;
        // `cpu,cpuacct` is also found as `cpu` and as `cpuacct`.
        for part in name.split(',').filter(|part| *part != name) {
            rustix::fs::symlinkat(name, &top, part)?;
        }
    }
    Ok(top)
}

fn fill(top: &OwnedFd, groups: &[(Option<&str>, &Path)], attributes: MountAttr) -> io::Result<()> {
    for (name, path) in groups {
        let name = CString::new(name.unwrap_or("unified"))?;
        attach_at(view(path, attributes)?, top, &name)?;
    }
    if attributes.contains(MountAttr::RDONLY) {
        MountAttr::RDONLY.add(top.as_fd(), false)?;
    }
    Ok(())
}

/// A copy of the mount of a group's directory.
fn view(path: &Path, attributes: MountAttr) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    attributes.clone_tree(CWD, &path, OpenTreeFlags::empty())
}

/// Without a group of its own: version 2 as the cgroup namespace shows it, or what the host shows.
fn without_group(attributes: MountAttr) -> io::Result<OwnedFd> {
    let mount = match file_system::new(c"cgroup2", &[], HARMLESS) {
        Err(Errno::PERM | Errno::BUSY | Errno::NODEV) => clone_tree(CWD, c"/sys/fs/cgroup", OpenTreeFlags::RECURSIVE)?,
        other => other?,
    };
    attributes.add(mount.as_fd(), true)?;
    Ok(mount)
}
