//! The program's terminal and streams.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use plan::Stdio;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::mounts::{self, Tree};
use crate::process::Prepared;
use crate::request::Io;

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
pub(crate) fn streams<'a>(io: &'a Io, tree: Option<&mut Tree>, process: &Prepared) -> io::Result<Streams<'a>> {
    let tree = tree.filter(|_| process.terminal());
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
        (Io::ConsoleSocket(socket), tree) => new_terminal(socket, tree, process).map(Streams::Made),
    }
}

fn new_terminal(socket: &OwnedFd, tree: Option<&mut Tree>, process: &Prepared) -> io::Result<Stdio> {
    let terminal = match &tree {
        Some(tree) => process.make_terminal(tree.root_fd())?,
        None => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            process.make_terminal(rustix::fs::open("/", flags, Mode::empty())?.as_fd())?
        }
    };
    let peer = terminal.hand_over(socket.as_fd())?;
    let streams = thrice(&peer)?;
    if let Some(tree) = tree {
        mounts::add_console(tree, peer)?;
    }
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

fn thrice(terminal: &OwnedFd) -> io::Result<Stdio> {
    Ok(Stdio { stdin: terminal.try_clone()?, stdout: terminal.try_clone()?, stderr: terminal.try_clone()? })
}
