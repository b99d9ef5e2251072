//! /dev: a file system in memory with the devices and links that the OCI specification lists, and nothing of the host.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use jail::{OpenTreeFlags, clone_tree};
use plan::Stdio;
use rustix::fs::{FileType, Mode, makedev, mkdirat, mknodat, symlinkat};
use rustix::mount::MountAttrFlags;
use rustix::process::umask;

use super::mounts::{self, HARMLESS};
use crate::root::Root;

/// Name, major and minor number (devices.txt of the kernel).
const NODES: [(&CStr, u32, u32); 6] =
    [(c"null", 1, 3), (c"zero", 1, 5), (c"full", 1, 7), (c"random", 1, 8), (c"urandom", 1, 9), (c"tty", 5, 0)];

/// Target and name.
const LINKS: [(&CStr, &CStr); 6] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
    (c"/proc/kcore", c"core"),
    (c"pts/ptmx", c"ptmx"),
];

pub(super) fn mount(root: &OwnedFd, io: &Stdio, terminal: bool) -> io::Result<OwnedFd> {
    let options = [(c"mode", c"0755"), (c"size", c"64m")];
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let dev = mounts::new(c"tmpfs", &options, attributes)?;
    fill(&dev)?;
    mounts::attach(&dev, Root::new(root).real_directory("/dev")?)?;
    let pts_options = [(c"mode", c"0620"), (c"ptmxmode", c"0666"), (c"gid", c"5")];
    let pts_attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let file_systems = [
        (mounts::new(c"devpts", &pts_options, pts_attributes)?, c"pts"),
        (mounts::new(c"tmpfs", &[(c"size", c"64m")], HARMLESS)?, c"shm"),
        (mounts::new(c"mqueue", &[], HARMLESS)?, c"mqueue"),
    ];
    for (mount, name) in file_systems {
        mounts::attach_at(&mount, &dev, name)?;
        mounts::leave_to_exec(mount);
    }
    if terminal {
        bind_console(&dev, io)?;
    }
    Ok(dev)
}

/// The file system is new and attached nowhere yet: nobody can have put anything into the way.
fn fill(dev: &OwnedFd) -> io::Result<()> {
    let before = umask(Mode::empty());
    for (name, major, minor) in NODES {
        mknodat(dev, name, FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(major, minor))?;
    }
    for (target, name) in LINKS {
        symlinkat(target, dev, name)?;
    }
    for name in [c"pts", c"shm", c"mqueue"] {
        mkdirat(dev, name, Mode::from_raw_mode(0o755))?;
    }
    umask(before);
    Ok(())
}

/// Shows the terminal as /dev/console, so that ttyname(3) finds a name for it in here.
fn bind_console(dev: &OwnedFd, io: &Stdio) -> io::Result<()> {
    // The host's path is the only way to a mount of this namespace; the descriptor's own mount belongs to the engine's.
    let path = rustix::fs::readlink(format!("/proc/self/fd/{}", io.stdin.as_raw_fd()), Vec::new())?;
    let terminal = clone_tree(rustix::fs::CWD, &path, OpenTreeFlags::empty())?;
    mknodat(dev, c"console", FileType::RegularFile, Mode::from_raw_mode(0o600), 0)?;
    Ok(mounts::attach_at(terminal.as_fd(), dev, c"console")?)
}
