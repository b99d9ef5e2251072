use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plan::InstanceId;
use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use crate::layout::{Layout, PARENT};
use crate::{Cgroup, Error};

/// Removes every group of an instance, in all hierarchies, killing what still runs in them. Nothing there is fine.
///
/// # Errors
/// [`Error::Remove`] if a process does not end within two seconds (it hangs in the kernel).
pub fn destroy(id: &InstanceId) -> Result<(), Error> {
    remove_from(Layout::current()?, id)
}

/// The instances that have a group in any hierarchy, also those that nobody remembers.
///
/// # Errors
/// As [`Layout::detect`].
pub fn list() -> Result<Vec<InstanceId>, Error> {
    let layout = Layout::current()?;
    let mut found = BTreeSet::new();
    for root in layout.roots() {
        // A hierarchy without our directory has none of our groups.
        let Ok(entries) = std::fs::read_dir(root.join(PARENT)) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        found.extend(names.filter_map(|name| name.parse::<InstanceId>().ok()));
    }
    Ok(found.into_iter().collect())
}

pub(crate) fn remove_from(layout: &Layout, id: &InstanceId) -> Result<(), Error> {
    let mut path = PathBuf::with_capacity(256);
    for root in layout.roots() {
        path.clear();
        path.extend([root, Path::new(PARENT), Path::new(id.as_str())]);
        remove_group(&path, id)?;
    }
    Ok(())
}

/// Usually the group is empty and one call does it; a killed process needs a moment to leave.
fn remove_group(path: &Path, id: &InstanceId) -> Result<(), Error> {
    const PATIENCE: u32 = 11;
    for attempt in 0.. {
        match remove_directory(path) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY) if attempt < PATIENCE => {
                Cgroup::open(id)?.kill()?;
                remove_children(path);
                std::thread::sleep(Duration::from_millis(1 << attempt));
            }
            Err(source) => return Err(Error::Remove { path: path.to_owned(), source: source.into() }),
        }
    }
    Ok(())
}

/// Groups below that the instance's own programs made (only a version 2 group that was delegated has any).
fn remove_children(path: &Path) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_children(&entry.path());
        // Still in use: the caller tries again.
        let _ = remove_directory(&entry.path());
    }
}

fn remove_directory(path: &Path) -> rustix::io::Result<()> {
    rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)
}
