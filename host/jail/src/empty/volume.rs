use std::ffi::{CStr, CString};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::FileType;

use crate::error::Error;
use crate::mount_attr::{MountAttr, OpenTreeFlags, clone_tree};

/// A host directory or file that an empty container sees.
#[derive(Debug)]
pub struct Volume<'a> {
    /// The host directory or file (`O_PATH` suffices).
    pub source: BorrowedFd<'a>,
    /// Where it appears, relative to the empty root, for example `volumes/0`.
    pub path: &'a str,
    /// Refuses writes.
    pub read_only: bool,
    /// Shows the owners of files shifted by the container's user and group, so that root's files belong to it (only the
    /// ids 0 to 65535 have an owner inside). Needs a file system with ID-mapped mounts.
    pub map_ids: bool,
}

/// A detached, finished mount and where it belongs.
pub(super) struct Prepared {
    pub(super) mount: OwnedFd,
    /// `a`, `a/b`, `a/b/c`: what has to be made, in order.
    pub(super) directories: Vec<CString>,
    pub(super) path: CString,
    pub(super) is_directory: bool,
}

/// Everything about the volumes that can be done before the process exists.
pub(super) fn prepare(volumes: &[Volume<'_>], uid: u32, gid: u32) -> Result<Vec<Prepared>, Error> {
    let namespace = match volumes.iter().any(|v| v.map_ids) {
        true => Some(crate::idmap::user_namespace(uid, gid).map_err(Error::UserNamespace)?),
        false => None,
    };
    volumes.iter().map(|volume| prepare_one(volume, namespace.as_ref())).collect()
}

fn prepare_one(volume: &Volume<'_>, namespace: Option<&OwnedFd>) -> Result<Prepared, Error> {
    let path = volume.path;
    let open_error = |source| Error::VolumeOpen { path: path.to_owned(), source };
    let directories = directories(path).ok_or_else(|| Error::VolumePath(path.to_owned()))?;
    let stat = rustix::fs::fstat(volume.source).map_err(|e| open_error(e.into()))?;
    let mount = clone_tree(volume.source, c"", OpenTreeFlags::EMPTY_PATH).map_err(open_error)?;
    let mut attributes = MountAttr::NOSUID | MountAttr::NODEV;
    attributes.set(MountAttr::RDONLY, volume.read_only);
    let mount_fd = std::os::fd::AsFd::as_fd(&mount);
    attributes.add(mount_fd, false).map_err(open_error)?;
    if let Some(namespace) = namespace.filter(|_| volume.map_ids) {
        MountAttr::map_ids(mount_fd, false, std::os::fd::AsFd::as_fd(namespace))
            .map_err(|source| Error::VolumeIds { path: path.to_owned(), source })?;
    }
    let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let c_path = CString::new(path).map_err(|_| Error::VolumePath(path.to_owned()))?;
    Ok(Prepared { mount, directories, path: c_path, is_directory })
}

/// The parents of a plain relative path, outermost first; `None` for any other path.
fn directories(path: &str) -> Option<Vec<CString>> {
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
        return None;
    }
    (1..parts.len()).map(|n| CString::new(parts[..n].join("/")).ok()).collect()
}

impl Prepared {
    /// The path as the kernel takes it.
    pub(super) fn path(&self) -> &CStr {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_places() {
        assert_eq!(directories("a/b/c"), Some(vec![c"a".to_owned(), c"a/b".to_owned()]));
        assert_eq!(directories("a"), Some(vec![]));
        for bad in ["", "/a", "a//b", "../a", "a/..", "./a", "a/"] {
            assert_eq!(directories(bad), None, "{bad}");
        }
    }
}
