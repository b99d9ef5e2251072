//! The program's terminal and streams.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use plan::Stdio;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pty::OpenptFlags;

use crate::mounts::{self, Tree};
use crate::request::Io;
use crate::root::Root;

/// linux/magic.h
const DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;

/// The streams to put in place.
#[derive(Debug)]
pub(crate) enum Streams<'a> {
    /// None: they are in place already.
    Inherited,
    /// The caller's.
    Given(&'a Stdio),
    /// Those of a new terminal.
    Made(Stdio),
}

impl Streams<'_> {
    pub(crate) fn get(&self) -> Option<&Stdio> {
        match self {
            Self::Inherited => None,
            Self::Given(streams) => Some(streams),
            Self::Made(streams) => Some(streams),
        }
    }
}

/// Makes what has to be made. With a tree, a terminal becomes its /dev/console.
pub(crate) fn streams<'a>(io: &'a Io, tree: Option<&mut Tree>, terminal: bool) -> io::Result<Streams<'a>> {
    let tree = tree.filter(|_| terminal);
    match (io, tree) {
        (Io::Inherit, None) => Ok(Streams::Inherited),
        (Io::Inherit, Some(tree)) => {
            mounts::add_console(tree, of_this_namespace(rustix::stdio::stdin())?)?;
            Ok(Streams::Inherited)
        }
        (Io::Given(streams), None) => Ok(Streams::Given(streams)),
        (Io::Given(streams), Some(tree)) => {
            mounts::add_console(tree, of_this_namespace(streams.stdin.as_fd())?)?;
            Ok(Streams::Given(streams))
        }
        (Io::ConsoleSocket(socket), tree) => new_terminal(socket, tree).map(Streams::Made),
    }
}

fn new_terminal(socket: &OwnedFd, tree: Option<&mut Tree>) -> io::Result<Stdio> {
    let Some(tree) = tree else {
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let (manager, terminal) = open(Root::new(&root))?;
        send(socket, &manager)?;
        return thrice(&terminal);
    };
    let (manager, terminal) = open(tree.root())?;
    let streams = thrice(&terminal)?;
    mounts::add_console(tree, terminal)?;
    send(socket, &manager)?;
    Ok(streams)
}

/// The same file by a mount of this namespace; the descriptor's own mount belongs to the caller's. The host's path is the
/// only way to it.
fn of_this_namespace(terminal: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = rustix::fs::readlink(format!("/proc/self/fd/{}", terminal.as_raw_fd()), Vec::new())?;
    let found = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let (ours, theirs) = (rustix::fs::fstat(&found)?, rustix::fs::fstat(terminal)?);
    match (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino) {
        true => Ok(found),
        false => Err(Errno::XDEV.into()),
    }
}

/// Makes a terminal in the devpts of this root, which is looked at first: an image, or who shares a volume, could have put
/// another file there (CVE-2025-52565).
fn open(root: Root<'_>) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let manager = root.open_file("/dev/pts/ptmx", flags)?;
    let stat = rustix::fs::fstat(&manager)?;
    let is_ptmx =
        (FileType::from_raw_mode(stat.st_mode), stat.st_rdev) == (FileType::CharacterDevice, rustix::fs::makedev(5, 2));
    if !is_ptmx || rustix::fs::fstatfs(&manager)?.f_type as u64 != DEVPTS_SUPER_MAGIC {
        return Err(Errno::NODEV.into());
    }
    rustix::pty::unlockpt(&manager)?;
    let terminal =
        rustix::pty::ioctl_tiocgptpeer(&manager, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    Ok((manager, terminal))
}

fn thrice(terminal: &OwnedFd) -> io::Result<Stdio> {
    Ok(Stdio { stdin: terminal.try_clone()?, stdout: terminal.try_clone()?, stderr: terminal.try_clone()? })
}

/// Sends the manager's side; the text is the file's name, as runc sends it.
fn send(socket: &OwnedFd, manager: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [manager.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    rustix::net::sendmsg(socket, &[IoSlice::new(b"/dev/ptmx")], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}
