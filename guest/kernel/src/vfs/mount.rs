//! The tree of mounts.

use alloc::sync::Arc;

use crate::sync::Once;
use crate::vfs::Inode;

static ROOT: Once<Arc<dyn Inode>> = Once::new();

/// The root directory.
pub(crate) fn root() -> Arc<dyn Inode> {
    ROOT.get().clone()
}
