//! Sources of bind mounts. They are opened before the clone, with the caller's rights and in its mount namespace, so that a
//! user namespace does not keep the container from them and propagation stays as it is there.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use jail::{MountAttr, OpenTreeFlags, clone_tree};
use rustix::fs::{CWD, FileType};

use crate::error::Error;
use crate::root::Kind as Place;
use crate::spec::{IdMap, Kind, Mount, Namespaces, Setup, id_map_text};

/// A copy of a part of the host's tree, attached nowhere.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) tree: OwnedFd,
    pub(crate) place: Place,
    /// The target of a source that is a symbolic link to be copied.
    pub(crate) link: Option<CString>,
}

/// The sources of all bind mounts; none where the caller's rights do not suffice, so that the container has to try.
pub(crate) fn bind_sources(setup: &Setup<'_>, bundle: &Path) -> Result<Vec<Option<Bound>>, Error> {
    setup.mounts.iter().map(|mount| source(mount, &setup.namespaces, bundle)).collect()
}

fn source(mount: &Mount<'_>, namespaces: &Namespaces<'_>, bundle: &Path) -> Result<Option<Bound>, Error> {
    let Kind::Bind { source, .. } = mount.kind else { return Ok(None) };
    match open(mount, namespaces, bundle) {
        Ok(bound) => Ok(Some(bound)),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) && mount.id_map.is_none() => Ok(None),
        Err(error) => Err(Error::BindSource {
            source_path: source.to_owned(),
            destination: mount.destination.clone().into(),
            source: error,
        }),
    }
}

/// Copies the source's tree and gives it its attributes.
pub(super) fn open(mount: &Mount<'_>, namespaces: &Namespaces<'_>, bundle: &Path) -> io::Result<Bound> {
    let Kind::Bind { source, recursive, no_follow, copy_symlink } = mount.kind else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut flags = OpenTreeFlags::empty();
    flags.set(OpenTreeFlags::RECURSIVE, recursive);
    flags.set(OpenTreeFlags::NO_FOLLOW, no_follow);
    let path = CString::new(bundle.join(source).as_os_str().as_bytes())?;
    let tree = clone_tree(CWD, &path, flags)?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&tree)?.st_mode);
    let place = if kind == FileType::Directory { Place::Directory } else { Place::File };
    let link = match kind {
        FileType::Symlink if copy_symlink => Some(rustix::fs::readlinkat(&tree, c"", Vec::new())?),
        _ => None,
    };
    if let Some(map) = &mount.id_map {
        map_ids(&tree, map, namespaces)?;
    }
    let (plain, all) = (mount.attributes, mount.recursive);
    if !plain.is_empty() {
        MountAttr::change(tree.as_fd(), false, plain.set, plain.clear)?;
    }
    if !all.is_empty() {
        MountAttr::change(tree.as_fd(), true, all.set, all.clear)?;
    }
    Ok(Bound { tree, place, link })
}

/// Maps the owners of a tree's files as the container's user namespace does.
pub(crate) fn map_owners(tree: &OwnedFd, namespaces: &Namespaces<'_>) -> io::Result<()> {
    map_ids(tree, &IdMap { recursive: false, uids: &[], gids: &[] }, namespaces)
}

/// Maps the owners of files (`MOUNT_ATTR_IDMAP`): as the mount says, or as the container's user namespace does.
fn map_ids(tree: &OwnedFd, map: &IdMap<'_>, namespaces: &Namespaces<'_>) -> io::Result<()> {
    let (uids, gids) = match map.uids.is_empty() {
        true => (namespaces.uids, namespaces.gids),
        false => (map.uids, map.gids),
    };
    let user_namespace = match namespaces.joins(oci_spec::runtime::LinuxNamespaceType::User) {
        Some(path) if map.uids.is_empty() => OwnedFd::from(std::fs::File::open(path)?),
        _ => jail::mapped_user_namespace(&id_map_text(uids), &id_map_text(gids))?,
    };
    MountAttr::map_ids(tree.as_fd(), map.recursive, user_namespace.as_fd())
}
