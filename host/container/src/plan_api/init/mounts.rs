//! File systems made and attached by descriptor.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};

/// Attributes of everything that no program is started from.
pub(super) const HARMLESS: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV).union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Makes a new file system, attached nowhere.
pub(super) fn new(kind: &CStr, options: &[(&CStr, &CStr)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        mount::fsconfig_set_string(&context, *key, *value)?;
    }
    mount::fsconfig_create(&context)?;
    let mount = mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    leave_to_exec(context);
    Ok(mount)
}

/// Attaches a mount to an opened place.
pub(super) fn attach(mount: impl AsFd, place: OwnedFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    mount::move_mount(mount, c"", &place, c"", flags)?;
    leave_to_exec(place);
    Ok(())
}

/// Attaches a mount to an entry of a directory that we have made ourselves or that is a kernel file system.
pub(super) fn attach_at(mount: impl AsFd, directory: impl AsFd, name: &CStr) -> rustix::io::Result<()> {
    mount::move_mount(mount, c"", directory, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Does not close a descriptor: execve closes all of them at once, which saves a system call for each.
pub(super) fn leave_to_exec(fd: OwnedFd) {
    std::mem::forget(fd);
}
