//! The tree of mounts. It is made at boot and does not change.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::sync::Once;
use crate::vfs::Inode;

/// One mount.
pub(crate) struct Mount {
    /// What it covers; `None` for the root.
    pub(crate) covered: Option<Arc<dyn Inode>>,
    /// Its top.
    pub(crate) root: Arc<dyn Inode>,
    /// Where it is, as an absolute path.
    pub(crate) path: Vec<u8>,
    /// What /proc/mounts shows as the source, the type and the options.
    pub(crate) label: [&'static str; 3],
}

/// The instance's own mounts, the root first.
static MOUNTS: Once<Vec<Mount>> = Once::new();
/// The volumes: their mount points are found by walking over the instance's own mounts.
static VOLUMES: Once<Vec<Mount>> = Once::new();

/// Sets the instance's own mounts, the root first. Called once.
pub(super) fn set(mounts: Vec<Mount>) {
    MOUNTS.set(mounts);
}

/// Sets the mounts of volumes. Called once.
pub(super) fn set_volumes(mounts: Vec<Mount>) {
    VOLUMES.set(mounts);
}

/// The mounts, the root first.
pub(crate) fn all() -> impl DoubleEndedIterator<Item = &'static Mount> {
    MOUNTS.try_get().into_iter().flatten().chain(VOLUMES.try_get().into_iter().flatten())
}

/// The root directory.
pub(crate) fn root() -> Arc<dyn Inode> {
    MOUNTS.get()[0].root.clone()
}

/// Whether both are the same object.
pub(crate) fn same(a: &Arc<dyn Inode>, b: &Arc<dyn Inode>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// What one comes to at this inode: the top of what is mounted over it, or itself.
pub(super) fn cross(inode: Arc<dyn Inode>) -> Arc<dyn Inode> {
    // Later mounts may lie on the tops of earlier ones.
    all().fold(inode, |at, mount| match &mount.covered {
        Some(covered) if same(covered, &at) => mount.root.clone(),
        _ => at,
    })
}

fn covered_by(top: &Arc<dyn Inode>) -> Option<&'static Arc<dyn Inode>> {
    all().rev().find(|mount| same(&mount.root, top))?.covered.as_ref()
}

/// The top of the mount with this device number.
pub(super) fn top_of(device: u64) -> Option<Arc<dyn Inode>> {
    let is_it = |mount: &&Mount| mount.root.attributes().is_ok_and(|a| a.dev == device);
    all().find(is_it).map(|mount| mount.root.clone())
}

/// Whether something is mounted here, or this is the top of a mount: such an entry can be neither removed nor renamed.
pub(super) fn is_busy(inode: &Arc<dyn Inode>) -> bool {
    let busy = |mount: &Mount| same(&mount.root, inode) || mount.covered.as_ref().is_some_and(|c| same(c, inode));
    all().any(busy)
}

/// The directory above one (`..`); the root is above itself.
pub(super) fn above(directory: &Arc<dyn Inode>) -> Arc<dyn Inode> {
    let mut at = directory;
    while let Some(covered) = covered_by(at) {
        at = covered;
    }
    at.parent().unwrap_or_else(|| directory.clone())
}

/// The absolute path of a directory; `None` if it was removed.
pub(crate) fn path_of(directory: &Arc<dyn Inode>) -> Option<Vec<u8>> {
    let mut names = Vec::new();
    let mut at = directory.clone();
    loop {
        while let Some(covered) = covered_by(&at) {
            at = covered.clone();
        }
        if at.removed() {
            return None;
        }
        let Some(parent) = at.parent() else { break };
        names.push(at.name());
        at = parent;
    }
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Some(path)
}
