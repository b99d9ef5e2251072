//! /proc and /sys, and what a container must not see or change in them (the lists of Docker and the OCI specification).

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use jail::{MountAttr, OpenTreeFlags, clone_tree};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::mounts::{self, HARMLESS};
use crate::root::Root;

/// Files and directories of /proc that tell about, or reach, the host.
const HIDDEN_IN_PROC: [&CStr; 10] = [
    c"acpi",
    c"asound",
    c"interrupts",
    c"kcore",
    c"keys",
    c"latency_stats",
    c"sched_debug",
    c"scsi",
    c"timer_list",
    c"timer_stats",
];

/// The same for /sys.
const HIDDEN_IN_SYS: [&CStr; 2] = [c"firmware", c"devices/virtual/powercap"];

/// What may be read but not written, whatever the permissions say.
const READ_ONLY_IN_PROC: [&CStr; 5] = [c"bus", c"fs", c"irq", c"sys", c"sysrq-trigger"];

pub(super) fn mount_proc(root: &OwnedFd) -> io::Result<OwnedFd> {
    let proc = mounts::new(c"proc", &[], HARMLESS)?;
    // Everything below trusts that this is the kernel's procfs.
    if rustix::fs::fstatfs(&proc)?.f_type as u64 != rustix::fs::PROC_SUPER_MAGIC as u64 {
        return Err(Errno::NXIO.into());
    }
    mounts::attach(&proc, Root::new(root).real_directory("/proc")?)?;
    Ok(proc)
}

pub(super) fn mount_sys(root: &OwnedFd) -> io::Result<OwnedFd> {
    let sys = mounts::new(c"sysfs", &[], HARMLESS.union(MountAttrFlags::MOUNT_ATTR_RDONLY))?;
    mounts::attach(&sys, Root::new(root).real_directory("/sys")?)?;
    Ok(sys)
}

/// Covers the hidden paths and write-protects the others.
pub(super) fn protect(proc: &OwnedFd, sys: &OwnedFd, dev: &OwnedFd) -> io::Result<()> {
    let mut covers = Covers { dev, file: None, directory: None };
    HIDDEN_IN_PROC.iter().try_for_each(|name| covers.hide(proc, name))?;
    HIDDEN_IN_SYS.iter().try_for_each(|name| covers.hide(sys, name))?;
    READ_ONLY_IN_PROC.iter().try_for_each(|name| write_protect(proc, name))
}

/// Mounts to cover a path with.
struct Covers<'a> {
    dev: &'a OwnedFd,
    /// A copy of /dev/null that is attached nowhere yet.
    file: Option<OwnedFd>,
    /// The empty file system where it was attached last.
    directory: Option<OwnedFd>,
}

impl Covers<'_> {
    /// Covers a file with /dev/null and a directory with an empty one; what does not exist needs no cover.
    fn hide(&mut self, parent: &OwnedFd, name: &CStr) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => clone_tree(self.dev.as_fd(), c"null", OpenTreeFlags::empty())?,
        };
        match mounts::attach_at(&file, parent, name) {
            Ok(()) => {
                mounts::leave_to_exec(file);
                return Ok(());
            }
            // The target is a directory.
            Err(Errno::NOTDIR | Errno::INVAL) => self.file = Some(file),
            Err(Errno::NOENT) => {
                self.file = Some(file);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let directory = match &self.directory {
            // Another place for the same empty file system.
            Some(directory) => clone_tree(directory.as_fd(), c"", OpenTreeFlags::EMPTY_PATH)?,
            None => mounts::new(c"tmpfs", &[], HARMLESS.union(MountAttrFlags::MOUNT_ATTR_RDONLY))?,
        };
        mounts::attach_at(&directory, parent, name)?;
        self.directory = Some(directory);
        Ok(())
    }
}

fn write_protect(parent: &OwnedFd, name: &CStr) -> io::Result<()> {
    let copy = match clone_tree(parent.as_fd(), name, OpenTreeFlags::RECURSIVE) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
        other => other?,
    };
    MountAttr::RDONLY.add(copy.as_fd(), true)?;
    mounts::attach_at(&copy, parent, name)?;
    mounts::leave_to_exec(copy);
    Ok(())
}
