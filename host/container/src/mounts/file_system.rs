//! New file systems, attached nowhere (fsopen(2)).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};

/// Attributes of everything that no program is started from.
pub(crate) const HARMLESS: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV).union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Makes a new file system from options that are known to be right.
pub(crate) fn new(kind: &CStr, options: &[(&CStr, &CStr)], attributes: MountAttrFlags) -> rustix::io::Result<OwnedFd> {
    let context = mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        mount::fsconfig_set_string(&context, *key, *value)?;
    }
    mount::fsconfig_create(&context)?;
    let mount = mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    leave_to_exec(context);
    Ok(mount)
}

/// Makes a new file system from options of a specification.
pub(super) fn from_options(
    kind: &CStr,
    options: &[(CString, Option<CString>)],
    attributes: MountAttrFlags,
) -> rustix::io::Result<OwnedFd> {
    let context = mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        match value {
            Some(value) => mount::fsconfig_set_string(&context, key.as_c_str(), value.as_c_str())?,
            None => mount::fsconfig_set_flag(&context, key.as_c_str())?,
        }
    }
    mount::fsconfig_create(&context)?;
    let mount = mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    leave_to_exec(context);
    Ok(mount)
}

/// Attaches a mount to an opened place.
pub(super) fn attach(mount: impl AsFd, place: impl AsFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    mount::move_mount(mount, c"", place, c"", flags)
}

/// Attaches a mount to an entry of a directory; a symbolic link is not followed.
pub(super) fn attach_at(mount: impl AsFd, directory: impl AsFd, name: &CStr) -> rustix::io::Result<()> {
    mount::move_mount(mount, c"", directory, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Does not close a descriptor: execve closes all of them at once, which saves a system call for each.
pub(super) fn leave_to_exec(fd: OwnedFd) {
    std::mem::forget(fd);
}

/// Whether this is a file system of that kind.
pub(super) fn is(fd: impl AsFd, magic: rustix::fs::FsWord) -> io::Result<bool> {
    Ok(rustix::fs::fstatfs(fd)?.f_type as u64 == magic as u64)
}
