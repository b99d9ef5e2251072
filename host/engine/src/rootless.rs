//! The engine without root: a user namespace of the user's own, in which it is root (user_namespaces(7)).
//!
//! Every command enters one; the mapping is always the same, so what one wrote another can read. A command that has to
//! enter the namespaces of a running container joins its supervisor's instead: only the creator of a namespace's parent,
//! or a member, has rights over it.

mod directories;
mod enter;
mod ids;
pub(crate) mod pasta;

use std::path::{Path, PathBuf};

use plan::LaunchPlan;

use crate::{Error, Instances, Paths};

pub use ids::IdError;

impl Paths {
    /// The user's directories: `$XDG_DATA_HOME/coracle` and `$XDG_RUNTIME_DIR/coracle`, or what stands for them.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no place that only this user can write to.
    pub fn of_user() -> Result<Self, Error> {
        let (root, run) = directories::of_user()?;
        Ok(Self::at(root, run).rootless())
    }

    /// Unpacked images, for users who may not mount them.
    pub(crate) fn trees(&self) -> PathBuf {
        self.root().join("trees")
    }
}

/// Becomes root in a user namespace. The calling process must have one thread, and not be root.
///
/// With the name of a running instance, that is the namespace of its supervisor.
///
/// # Errors
/// [`Error::System`], or [`Error::Ids`] if the user has no ids to give.
pub fn enter(paths: &Paths, join: Option<&str>) -> Result<(), Error> {
    let supervisor = join.and_then(|name| {
        let instance = Instances::open(paths).find(name).ok()?;
        instance.record.supervisor.as_ref()?.open()
    });
    match supervisor {
        Some(supervisor) => enter::join(&supervisor),
        None => enter::new(),
    }
}

/// Whether the namespace has no other user and group than the user's own.
pub(crate) fn has_one_id() -> bool {
    let map = std::fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    map.lines().count() == 1 && map.split_whitespace().last() == Some("1")
}

/// The image of a plan as a directory, unpacked by the first instance that needs it.
pub(crate) fn tree(paths: &Paths, plan: &LaunchPlan) -> Result<PathBuf, Error> {
    let tree = path_of(paths, &plan.image_digest);
    if !tree.exists() {
        let trees = paths.trees();
        std::fs::create_dir_all(&trees).map_err(Error::file("creating", &trees))?;
        image::extract_root(&plan.rootfs.erofs, &tree)?;
    }
    Ok(tree)
}

/// Removes the unpacked form of an image.
pub(crate) fn forget(paths: &Paths, digest: &str) {
    let _ = std::fs::remove_dir_all(path_of(paths, digest));
}

fn path_of(paths: &Paths, digest: &str) -> PathBuf {
    // A digest is `sha256:` and hexadecimal digits.
    let name: &Path = digest.rsplit(':').next().unwrap_or(digest).as_ref();
    paths.trees().join(name)
}
