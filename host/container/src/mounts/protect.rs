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
    let mut covers = Covers { files: Cover::new(null), directories: Cover::new(empty) };
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

    fn read_only_copy(&self) -> io::Result<OwnedFd> {
        let (directory, name, flags) = match self {
            Self::Entry(directory, name) => (*directory, name.as_c_str(), OpenTreeFlags::NO_FOLLOW),
            Self::Opened(place) => (place.as_fd(), c"", OpenTreeFlags::EMPTY_PATH),
        };
        MountAttr::RDONLY.clone_tree(directory, name, OpenTreeFlags::RECURSIVE | flags)
    }
}

/// Mounts to cover a path with.
struct Covers {
    files: Cover,
    directories: Cover,
}

impl Covers {
    /// Covers a file with /dev/null and a directory with an empty one.
    fn hide(&mut self, tree: &Tree, path: &str) -> io::Result<()> {
        let Some(spot) = spot(tree, path)? else { return Ok(()) };
        let usual_first = USUAL_DIRECTORIES.contains(&path);
        for directory in [usual_first, !usual_first] {
            let covers = if directory { &mut self.directories } else { &mut self.files };
            match covers.put(tree, &spot)? {
                // It is of the other kind.
                Err(Errno::NOTDIR | Errno::INVAL) => {}
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::INVAL.into())
    }
}

/// Those of the masked paths of engines that are directories, which spares the attempt with a file.
const USUAL_DIRECTORIES: [&str; 4] = ["/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"];

/// Mounts of one kind.
struct Cover {
    make: fn(&Tree) -> io::Result<OwnedFd>,
    /// One that is attached nowhere yet.
    next: Option<OwnedFd>,
    /// Where it was attached last: it was looked at, so further copies are made of it.
    last: Option<OwnedFd>,
}

impl Cover {
    fn new(make: fn(&Tree) -> io::Result<OwnedFd>) -> Self {
        Self { make, next: None, last: None }
    }

    /// Covers a place. The inner error is the place's: there may be nothing, or something of another kind. Nothing to cover it
    /// with is another matter.
    fn put(&mut self, tree: &Tree, spot: &Spot<'_>) -> io::Result<rustix::io::Result<()>> {
        let cover = match (self.next.take(), &self.last) {
            (Some(next), _) => next,
            (None, Some(last)) => clone_tree(last.as_fd(), c"", OpenTreeFlags::EMPTY_PATH)?,
            (None, None) => (self.make)(tree)?,
        };
        let covered = spot.cover(&cover);
        match covered {
            Ok(()) => {
                if let Some(earlier) = self.last.replace(cover) {
                    file_system::leave_to_exec(earlier);
                }
            }
            Err(_) => self.next = Some(cover),
        }
        Ok(covered)
    }
}

/// An empty directory.
fn empty(_: &Tree) -> io::Result<OwnedFd> {
    Ok(file_system::new(c"tmpfs", &[], HARMLESS.union(MountAttrFlags::MOUNT_ATTR_RDONLY))?)
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
    let copy = match spot.read_only_copy() {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
        other => other?,
    };
    spot.cover(&copy)?;
    file_system::leave_to_exec(copy);
    Ok(())
}
