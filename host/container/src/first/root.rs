//! The root: a directory of the bundle, or an image with a layer above it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use jail::{MountAttr, OpenTreeFlags, clone_tree};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{self, MoveMountFlags, UnmountFlags};

use super::layers::{self, Manner};
use crate::error::Error;
use crate::image;
use crate::mounts::{self, Tree};
use crate::request::{Request, RootSource};
use crate::spec::Setup;

/// What the root is made of, opened before the clone.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// A copy of the tree of a directory, attached nowhere and without propagation.
    Tree(OwnedFd),
    /// A directory of which the caller may not copy the tree: its user namespace may.
    Directory(OwnedFd),
    /// An image, mounted but attached nowhere.
    Image { image: OwnedFd, layer: Option<&'a Path>, manner: Manner },
    /// That of the mount namespace that is joined.
    Joined,
}

impl<'a> Source<'a> {
    pub(crate) fn open(request: &Request<'a>, setup: &Setup<'_>) -> Result<Self, Error> {
        match request.root {
            _ if !setup.namespaces.is_new(oci_spec::runtime::LinuxNamespaceType::Mount) => Ok(Self::Joined),
            RootSource::Image { erofs, layer, volatile } => {
                let image = image::mount(erofs)?;
                let manner = Manner { volatile, user_attributes: false };
                if !setup.namespaces.is_new(oci_spec::runtime::LinuxNamespaceType::User) {
                    return Ok(Self::Image { image, layer, manner });
                }
                // Neither the image nor its mapped owners are for a user namespace to stack: that is the caller's to do.
                let stacked = mounts::map_owners(&image, &setup.namespaces).and_then(|()| match layer {
                    Some(layer) => layers::stack_detached(&image, layer, manner),
                    None => Ok(image),
                });
                stacked.map(Self::Tree).map_err(|source| Error::Image { path: erofs.to_owned(), source })
            }
            RootSource::Layered { lower, layer, volatile } => {
                let tree = open_directory(request.bundle, &lower.to_owned())
                    .and_then(|directory| clone_tree(directory.as_fd(), c"", OpenTreeFlags::EMPTY_PATH));
                let image = tree.map_err(|source| Error::RootDirectory { path: lower.to_owned(), source })?;
                let manner = Manner { volatile, user_attributes: true };
                Ok(Self::Image { image, layer, manner })
            }
            RootSource::Spec => {
                let root = request.spec.root().as_ref();
                let path = root.ok_or_else(|| crate::spec::InvalidSpec::missing("root"))?.path();
                Self::directory(request.bundle, path)
                    .map_err(|source| Error::RootDirectory { path: request.bundle.join(path), source })
            }
        }
    }

    fn directory(bundle: &Path, path: &PathBuf) -> io::Result<Self> {
        let directory = open_directory(bundle, path)?;
        let flags = OpenTreeFlags::EMPTY_PATH | OpenTreeFlags::RECURSIVE;
        match jail::clone_tree_spreading(directory.as_fd(), c"", flags, jail::Propagation::Private) {
            Ok(tree) => Ok(Self::Tree(tree)),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(Self::Directory(directory)),
            Err(error) => Err(error),
        }
    }
}

/// A relative path has to stay in the bundle; an absolute one may go anywhere, but not through a magic link of /proc.
fn open_directory(bundle: &Path, path: &PathBuf) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if path.is_absolute() {
        return Ok(rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?);
    }
    let bundle = rustix::fs::openat(CWD, bundle, flags, Mode::empty())?;
    Ok(rustix::fs::openat2(&bundle, path, flags, Mode::empty(), ResolveFlags::BENEATH)?)
}

/// The same directory by a mount of this namespace: one of the caller's cannot be copied here. The host's path is the only
/// way to it, and what it leads to is compared.
fn of_this_namespace(directory: &OwnedFd) -> io::Result<OwnedFd> {
    let path = rustix::fs::readlink(format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let found = rustix::fs::openat2(CWD, &path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
    let (ours, theirs) = (rustix::fs::fstat(&found)?, rustix::fs::fstat(directory)?);
    match (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino) {
        true => Ok(found),
        false => Err(rustix::io::Errno::XDEV.into()),
    }
}

/// Attaches the root over the host's root of this namespace, where it stays until [`enter`].
pub(super) fn attach(source: Source<'_>, setup: &Setup<'_>) -> io::Result<OwnedFd> {
    let root = match source {
        Source::Tree(tree) => tree,
        Source::Directory(directory) => {
            let directory = of_this_namespace(&directory)?;
            clone_tree(directory.as_fd(), c"", OpenTreeFlags::EMPTY_PATH | OpenTreeFlags::RECURSIVE)?
        }
        Source::Image { image, layer, manner } => layers::stack(&image, layer, manner, setup)?,
        Source::Joined => return Err(io::ErrorKind::InvalidInput.into()),
    };
    mount::move_mount(&root, c"", CWD, c"/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(root)
}

/// Makes the root the only file system of this namespace. The host's root ends up on top of the new one for a moment
/// (see the notes of pivot_root(2)), so no place for it is needed in the image.
pub(super) fn enter(tree: &Tree, no_pivot: bool) -> io::Result<()> {
    rustix::process::fchdir(tree.root_fd())?;
    if no_pivot {
        // It covers the host's root already: that is as far as MS_MOVE gets, too.
        rustix::process::chroot(c".")?;
        return Ok(rustix::process::chdir(c"/")?);
    }
    rustix::process::pivot_root(c".", c".")?;
    Ok(mount::unmount(c".", UnmountFlags::DETACH)?)
}

/// Attributes that would have been in the way before.
pub(super) fn finish(tree: &Tree, setup: &Setup<'_>) -> io::Result<()> {
    if setup.root_read_only {
        MountAttr::RDONLY.add(tree.root_fd(), false)?;
    }
    if let Some((kind, recursive)) = setup.root_propagation {
        MountAttr::propagate(tree.root_fd(), recursive, kind)?;
    }
    Ok(())
}
