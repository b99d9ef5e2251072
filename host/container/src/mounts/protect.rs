//! What a container must not see or change (`linux.maskedPaths`, `linux.readonlyPaths`).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::{MountAttr, OpenTreeFlags, clone_tree};
use rustix::fs::{FileType, makedev};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::attach::{Content, Tree};
use super::file_system::{self, HARMLESS, attach, attach_at};
use crate::error::Stage;
use crate::message::{AtStage, Failure};
use crate::spec::Setup;

/// Covers the masked paths and write-protects the others; what does not exist needs neither.
pub(crate) fn protect(tree: &Tree, setup: &Setup<'_>) -> Result<(), Failure> {
    let mut covers = Covers::default();
    for path in &setup.masked {
        covers.hide(tree, path).about(Stage::ProtectedPaths, path)?;
    }
    for path in &setup.read_only {
        write_protect(tree, path).about(Stage::ProtectedPaths, path)?;
    }
    std::mem::forget(covers);
    Ok(())
}

/// Where a path is: an entry of a directory that is known, or opened.
enum Spot<'a> {
    Entry(BorrowedFd<'a>, CString),
    Opened(OwnedFd),
}

fn spot<'t>(tree: &'t Tree, path: &str) -> io::Result<Option<Spot<'t>>> {
    if let Some((directory, name, Content::Proc | Content::Kernel)) = tree.shortcut(path) {
        return Ok(Some(Spot::Entry(directory, name)));
    }
    match tree.root().locate(path) {
        Ok(found) => Ok(Some(Spot::Opened(found))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Spot<'_> {
    fn cover(&self, mount: &OwnedFd) -> rustix::io::Result<()> {
        match self {
            Self::Entry(directory, name) => attach_at(mount, directory, name),
            Self::Opened(place) => attach(mount, place),
        }
    }

    fn clone_tree(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Entry(directory, name) => {
                clone_tree(*directory, name, OpenTreeFlags::RECURSIVE | OpenTreeFlags::NO_FOLLOW)
            }
            Self::Opened(place) => clone_tree(place.as_fd(), c"", OpenTreeFlags::RECURSIVE | OpenTreeFlags::EMPTY_PATH),
        }
    }
}

/// Mounts to cover a path with.
#[derive(Default)]
struct Covers {
    /// A copy of /dev/null that is attached nowhere yet.
    file: Option<OwnedFd>,
    /// One that was attached: it was looked at, so further copies are made of it.
    null: Option<OwnedFd>,
    /// The empty file system where it was attached last.
    directory: Option<OwnedFd>,
}

impl Covers {
    /// Covers a file with /dev/null and a directory with an empty one.
    fn hide(&mut self, tree: &Tree, path: &str) -> io::Result<()> {
        let Some(spot) = spot(tree, path)? else { return Ok(()) };
        let file = match self.file.take() {
            Some(file) => file,
            None => match &self.null {
                Some(null) => clone_tree(null.as_fd(), c"", OpenTreeFlags::EMPTY_PATH)?,
                None => null(tree)?,
            },
        };
        match spot.cover(&file) {
            Ok(()) => {
                if let Some(earlier) = self.null.replace(file) {
                    file_system::leave_to_exec(earlier);
                }
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
            None => file_system::new(c"tmpfs", &[], HARMLESS.union(MountAttrFlags::MOUNT_ATTR_RDONLY))?,
        };
        spot.cover(&directory)?;
        if let Some(earlier) = self.directory.replace(directory) {
            file_system::leave_to_exec(earlier);
        }
        Ok(())
    }
}

/// The container's /dev/null, which is looked at before it is used: an image could have put anything there
/// (CVE-2025-31133).
fn null(tree: &Tree) -> io::Result<OwnedFd> {
    let copy = match tree.known("/dev") {
        Some(dev) => clone_tree(dev, c"null", OpenTreeFlags::NO_FOLLOW)?,
        None => clone_tree(tree.root().locate("/dev/null")?.as_fd(), c"", OpenTreeFlags::EMPTY_PATH)?,
    };
    let stat = rustix::fs::fstat(&copy)?;
    match (FileType::from_raw_mode(stat.st_mode), stat.st_rdev) == (FileType::CharacterDevice, makedev(1, 3)) {
        true => Ok(copy),
        false => Err(Errno::NODEV.into()),
    }
}

fn write_protect(tree: &Tree, path: &str) -> io::Result<()> {
    let Some(spot) = spot(tree, path)? else { return Ok(()) };
    let copy = match spot.clone_tree() {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
        other => other?,
    };
    MountAttr::RDONLY.add(copy.as_fd(), true)?;
    spot.cover(&copy)?;
    file_system::leave_to_exec(copy);
    Ok(())
}
