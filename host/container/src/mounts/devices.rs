//! Devices and links of /dev: those that the OCI specification demands and those that are asked for.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use jail::{OpenTreeFlags, clone_tree};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid, makedev};
use rustix::io::Errno;
use rustix::process::umask;

use super::attach::{Content, Tree};
use super::file_system;
use crate::error::Stage;
use crate::message::{AtStage, Failure};
use crate::root::Kind as Place;
use crate::spec::{Device, Kind, Node, Setup};

/// Path, major and minor number (devices.txt of the kernel).
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Target and place.
const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("/proc/kcore", "/dev/core"),
    ("pts/ptmx", "/dev/ptmx"),
];

/// Makes all devices and links; nothing where /dev is one that the host shares.
pub(crate) fn make_all(tree: &mut Tree, setup: &Setup<'_>) -> Result<(), Failure> {
    let shared =
        |mount: &crate::spec::Mount<'_>| mount.destination == "/dev" && matches!(mount.kind, Kind::Bind { .. });
    let before = umask(Mode::empty());
    if !setup.mounts.iter().any(shared) {
        for (path, major, minor) in DEFAULT {
            let node = Node::Character(major, minor);
            if setup.devices.iter().all(|device| device.path != path) {
                make(tree, &Device { path, node, mode: 0o666, uid: 0, gid: 0 }).about(Stage::Device, path)?;
            }
        }
        for (target, path) in LINKS {
            link(tree, target, path).about(Stage::Device, path)?;
        }
    }
    for device in &setup.devices {
        make(tree, device).about(Stage::Device, device.path)?;
    }
    umask(before);
    Ok(())
}

/// A directory and the name of an entry of it.
enum Entry<'a> {
    Known(BorrowedFd<'a>, CString),
    Found(OwnedFd, CString),
}

impl Entry<'_> {
    fn parts(&self) -> (BorrowedFd<'_>, &CString) {
        match self {
            Self::Known(directory, name) => (*directory, name),
            Self::Found(directory, name) => (directory.as_fd(), name),
        }
    }
}

fn entry<'t>(tree: &'t Tree, path: &str) -> io::Result<Entry<'t>> {
    if let Some((directory, name, Content::Ours)) = tree.shortcut(path) {
        return Ok(Entry::Known(directory, name));
    }
    let (parent, name) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path));
    if matches!(name, "" | "." | "..") {
        return Err(Errno::INVAL.into());
    }
    Ok(Entry::Found(tree.root().make_directories(parent)?, CString::new(name)?))
}

fn link(tree: &Tree, target: &str, path: &str) -> io::Result<()> {
    let entry = entry(tree, path)?;
    let (directory, name) = entry.parts();
    let symlink = || rustix::fs::symlinkat(target, directory, name.as_c_str());
    match symlink() {
        Err(Errno::EXIST) => {
            // As a file of an image's /dev; /dev/ptmx could be the host's device.
            let _ = rustix::fs::unlinkat(directory, name.as_c_str(), AtFlags::empty());
            match symlink() {
                // A directory or a mount in the image's own way.
                Err(Errno::EXIST) => Ok(()),
                other => Ok(other?),
            }
        }
        other => Ok(other?),
    }
}

fn make(tree: &mut Tree, device: &Device<'_>) -> io::Result<()> {
    let entry = entry(tree, device.path)?;
    let (directory, name) = entry.parts();
    match node(directory, name, device) {
        Ok(()) => own(directory, name, device),
        // In a user namespace, no device can be made, but the host's can be shown.
        Err(Errno::PERM) => bind(tree, device),
        Err(error) => Err(error.into()),
    }
}

fn node(directory: BorrowedFd<'_>, name: &CString, device: &Device<'_>) -> rustix::io::Result<()> {
    let (kind, number) = numbers(device.node);
    let once = || rustix::fs::mknodat(directory, name.as_c_str(), kind, Mode::from_raw_mode(device.mode), number);
    match once() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(directory, name.as_c_str(), AtFlags::empty())?;
            once()
        }
        other => other,
    }
}

fn numbers(node: Node) -> (FileType, u64) {
    match node {
        Node::Character(major, minor) => (FileType::CharacterDevice, makedev(major, minor)),
        Node::Block(major, minor) => (FileType::BlockDevice, makedev(major, minor)),
        Node::Fifo => (FileType::Fifo, 0),
    }
}

fn own(directory: BorrowedFd<'_>, name: &CString, device: &Device<'_>) -> io::Result<()> {
    if device.uid == 0 && device.gid == 0 {
        return Ok(());
    }
    let (uid, gid) = (Some(Uid::from_raw(device.uid)), Some(Gid::from_raw(device.gid)));
    Ok(rustix::fs::chownat(directory, name.as_c_str(), uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Binds the host's device of the same path, if it is the one that was asked for.
fn bind(tree: &mut Tree, device: &Device<'_>) -> io::Result<()> {
    let path = CString::new(std::ffi::OsStr::new(device.path).as_bytes())?;
    let copy = clone_tree(CWD, &path, OpenTreeFlags::NO_FOLLOW)?;
    let stat = rustix::fs::fstat(&copy)?;
    if (FileType::from_raw_mode(stat.st_mode), stat.st_rdev) != numbers(device.node) {
        return Err(Errno::NODEV.into());
    }
    tree.attach(copy, device.path, Content::Foreign, Place::File)
}

/// Shows a terminal as /dev/console, so that ttyname(3) finds a name for it inside.
pub(crate) fn add_console(tree: &mut Tree, terminal: OwnedFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(&terminal)?;
    // The image's author must not choose what is bound (CVE-2025-52565).
    if FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice || !rustix::termios::isatty(&terminal) {
        return Err(Errno::NOTTY.into());
    }
    file_system::is(&terminal, DEVPTS_SUPER_MAGIC)?.then_some(()).ok_or(Errno::NOTTY)?;
    let copy = clone_tree(terminal.as_fd(), c"", OpenTreeFlags::EMPTY_PATH)?;
    tree.attach(copy, "/dev/console", Content::Foreign, Place::File)
}

/// linux/magic.h
const DEVPTS_SUPER_MAGIC: rustix::fs::FsWord = 0x1cd1;
