//! New file systems, attached nowhere (fsopen(2)).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags};

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

/// Makes a new file system at an entry of the working directory with one call, mount(2); false if its options cannot be written
/// down for that. The name must not be a link, which the kernel would follow.
pub(super) fn mount_here(
    kind: &CStr,
    options: &[(CString, Option<CString>)],
    attributes: MountAttrFlags,
    name: &CStr,
) -> rustix::io::Result<bool> {
    let (Some(flags), Some(data)) = (mount_flags(attributes), joined(options)) else { return Ok(false) };
    mount::mount(c"none", name, kind, flags, data.as_c_str()).map(|()| true)
}

/// The flags of mount(2) for these attributes; none for those that mean something else there.
fn mount_flags(attributes: MountAttrFlags) -> Option<MountFlags> {
    const SAME: [(MountAttrFlags, MountFlags); 4] = [
        (MountAttrFlags::MOUNT_ATTR_NOSUID, MountFlags::NOSUID),
        (MountAttrFlags::MOUNT_ATTR_NODEV, MountFlags::NODEV),
        (MountAttrFlags::MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC),
        (MountAttrFlags::MOUNT_ATTR_NOATIME, MountFlags::NOATIME),
    ];
    let mut rest = attributes;
    let mut flags = MountFlags::empty();
    for (attribute, flag) in SAME {
        if rest.contains(attribute) {
            rest.remove(attribute);
            flags |= flag;
        }
    }
    rest.is_empty().then_some(flags)
}

/// Options as the text that mount(2) takes, in which nothing may stand for something else.
fn joined(options: &[(CString, Option<CString>)]) -> Option<CString> {
    let mut text = Vec::new();
    for (name, value) in options {
        if !text.is_empty() {
            text.push(b',');
        }
        text.extend(name.to_bytes());
        if let Some(value) = value {
            text.push(b'=');
            text.extend(value.to_bytes());
        }
    }
    let plain = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.%/".contains(byte));
    let all_plain = options
        .iter()
        .all(|(name, value)| plain(name.to_bytes()) && value.as_ref().is_none_or(|value| plain(value.to_bytes())));
    // The kernel reads one page.
    if all_plain && text.len() < 4096 { CString::new(text).ok() } else { None }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, value: Option<&str>) -> (CString, Option<CString>) {
        (CString::new(name).unwrap(), value.map(|value| CString::new(value).unwrap()))
    }

    #[test]
    fn options_that_are_plain_are_joined() {
        let usual = [option("newinstance", None), option("mode", Some("0620")), option("size", Some("50%"))];
        assert_eq!(joined(&usual).unwrap().as_c_str(), c"newinstance,mode=0620,size=50%");
        for odd in [option("mpol", Some("bind:0,2")), option("context", Some("\"a:b,c\"")), option("a,b", None)] {
            assert_eq!(joined(&[odd]), None);
        }
        assert_eq!(joined(&[option("context", Some(&"x".repeat(4096)))]), None);
    }

    #[test]
    fn attributes_of_another_meaning_have_no_flags() {
        assert_eq!(mount_flags(HARMLESS), Some(MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC));
        for other in [MountAttrFlags::MOUNT_ATTR_RDONLY, MountAttrFlags::MOUNT_ATTR_STRICTATIME] {
            assert_eq!(mount_flags(other | HARMLESS), None);
        }
    }
}
