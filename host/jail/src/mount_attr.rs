//! mount_setattr(2) and open_tree(2) with `AT_RECURSIVE`, which rustix lacks; hence the unsafe calls.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

bitflags::bitflags! {
    /// Attributes of a mount, `MOUNT_ATTR_*` of linux/mount.h.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MountAttr: u64 {
        /// Refuses writes.
        const RDONLY = libc::MOUNT_ATTR_RDONLY;
        /// Ignores set-user-ID bits.
        const NOSUID = libc::MOUNT_ATTR_NOSUID;
        /// Refuses to open devices.
        const NODEV = libc::MOUNT_ATTR_NODEV;
        /// Refuses to execute.
        const NOEXEC = libc::MOUNT_ATTR_NOEXEC;
        /// Never notes when a file was read. With [`STRICTATIME`](Self::STRICTATIME) and neither (relatime), one choice of
        /// three: changing it clears [`ATIME`](Self::ATIME) first.
        const NOATIME = libc::MOUNT_ATTR_NOATIME;
        /// Always notes when a file was read.
        const STRICTATIME = libc::MOUNT_ATTR_STRICTATIME;
        /// All of the choice above.
        const ATIME = libc::MOUNT_ATTR__ATIME;
        /// Never notes when a directory was read.
        const NODIRATIME = libc::MOUNT_ATTR_NODIRATIME;
        /// Follows no symbolic link of this mount.
        const NOSYMFOLLOW = libc::MOUNT_ATTR_NOSYMFOLLOW;
    }
}

/// How mounts and unmounts spread (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Neither way.
    Private,
    /// Both ways.
    Shared,
    /// Only in.
    Slave,
    /// Neither way, and it cannot be bound.
    Unbindable,
}

impl Propagation {
    fn bits(self) -> u64 {
        match self {
            Self::Private => libc::MS_PRIVATE,
            Self::Shared => libc::MS_SHARED,
            Self::Slave => libc::MS_SLAVE,
            Self::Unbindable => libc::MS_UNBINDABLE,
        }
    }
}

bitflags::bitflags! {
    /// How [`clone_tree`] looks at its source.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct OpenTreeFlags: u32 {
        /// Takes the mounts below, too.
        const RECURSIVE = libc::AT_RECURSIVE as u32;
        /// The path is empty and the descriptor itself is meant.
        const EMPTY_PATH = libc::AT_EMPTY_PATH as u32;
        /// Does not follow a final symbolic link.
        const NO_FOLLOW = libc::AT_SYMLINK_NOFOLLOW as u32;
    }
}

/// `struct mount_attr` of linux/mount.h, version 0.
#[repr(C)]
#[derive(Default)]
struct RawMountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

const _: () = assert!(size_of::<RawMountAttr>() == 32);

impl MountAttr {
    /// Adds these attributes to the mount behind `mount` and, if `recursive`, to all below it.
    pub fn add(self, mount: BorrowedFd<'_>, recursive: bool) -> io::Result<()> {
        set_attr(mount, c"", recursive, &RawMountAttr { set: self.bits(), ..RawMountAttr::default() })
    }

    /// Makes a detached copy as [`clone_tree`] does, of which this mount, and with [`OpenTreeFlags::RECURSIVE`] all mounts below
    /// it, have these attributes in addition.
    pub fn clone_tree(self, directory: BorrowedFd<'_>, path: &CStr, flags: OpenTreeFlags) -> io::Result<OwnedFd> {
        clone_with(directory, path, flags, &RawMountAttr { set: self.bits(), ..RawMountAttr::default() })
    }

    /// Sets and clears attributes of the mount behind `mount` and, if `recursive`, of all below it.
    pub fn change(mount: BorrowedFd<'_>, recursive: bool, set: Self, clear: Self) -> io::Result<()> {
        let attr = RawMountAttr { set: set.bits(), clear: clear.bits(), ..RawMountAttr::default() };
        set_attr(mount, c"", recursive, &attr)
    }

    /// Sets how mounts and unmounts below `mount` and, if `recursive`, below all mounts of it spread.
    pub fn propagate(mount: BorrowedFd<'_>, recursive: bool, propagation: Propagation) -> io::Result<()> {
        set_attr(mount, c"", recursive, &RawMountAttr { propagation: propagation.bits(), ..RawMountAttr::default() })
    }

    /// Maps the owners of a detached mount's files through `user_namespace` (`MOUNT_ATTR_IDMAP`).
    ///
    /// Fails with `EINVAL` on a file system that cannot (fuse without the flag, overlayfs, network file systems).
    pub fn map_ids(mount: BorrowedFd<'_>, recursive: bool, user_namespace: BorrowedFd<'_>) -> io::Result<()> {
        let attr = RawMountAttr {
            set: libc::MOUNT_ATTR_IDMAP,
            userns_fd: user_namespace.as_raw_fd() as u64,
            ..RawMountAttr::default()
        };
        set_attr(mount, c"", recursive, &attr)
    }

    /// Cuts every mount of this namespace off from propagation, so that nothing done here reaches the host or comes from it.
    pub fn make_all_private() -> io::Result<()> {
        set_attr(
            rustix::fs::CWD,
            c"/",
            true,
            &RawMountAttr { propagation: libc::MS_PRIVATE, ..RawMountAttr::default() },
        )
    }
}

/// Makes a detached copy as [`clone_tree`] does, of which this mount, and with [`OpenTreeFlags::RECURSIVE`] all mounts below it,
/// spread like this.
pub fn clone_tree_spreading(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: OpenTreeFlags,
    propagation: Propagation,
) -> io::Result<OwnedFd> {
    let attr = RawMountAttr { propagation: propagation.bits(), ..RawMountAttr::default() };
    clone_with(directory, path, flags, &attr)
}

/// open_tree_attr(2), or on a kernel before 6.15 the two calls that it stands for.
fn clone_with(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: OpenTreeFlags,
    attr: &RawMountAttr,
) -> io::Result<OwnedFd> {
    /// The same for all machines.
    const OPEN_TREE_ATTR: libc::c_long = 467;
    let all = flags.bits() | libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: the path is terminated, the structure has the size that is passed, and the kernel only reads both.
    let fd = unsafe {
        let size = size_of::<RawMountAttr>();
        libc::syscall(OPEN_TREE_ATTR, directory.as_raw_fd(), path.as_ptr(), all, &raw const *attr, size)
    };
    if fd >= 0 {
        // SAFETY: the kernel has just returned this new descriptor; nobody else owns it.
        return Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    }
    let error = io::Error::last_os_error();
    // Filters of system calls answer with EPERM to what they do not know.
    if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
        return Err(error);
    }
    let copy = clone_tree(directory, path, flags)?;
    set_attr(copy.as_fd(), c"", flags.contains(OpenTreeFlags::RECURSIVE), attr)?;
    Ok(copy)
}

fn set_attr(mount: BorrowedFd<'_>, path: &CStr, recursive: bool, attr: &RawMountAttr) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is terminated, the structure has the size that is passed, and the kernel only reads both.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const *attr,
            size_of::<RawMountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a detached copy of the mount at `path`, as `mount --bind` would attach it (`OPEN_TREE_CLONE`).
pub fn clone_tree(directory: BorrowedFd<'_>, path: &CStr, flags: OpenTreeFlags) -> io::Result<OwnedFd> {
    let flags = flags.bits() | libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: the path is terminated and only read.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, directory.as_raw_fd(), path.as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this new descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
