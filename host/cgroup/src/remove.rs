//! Removing groups.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use crate::layout::Layout;
use crate::path::GroupPath;
use crate::signals::children;
use crate::{Error, Group, systemd};

impl Group {
    /// Removes the group in all hierarchies, with those below it, killing what still runs there. Nothing there is fine.
    ///
    /// # Errors
    /// [`Error::Remove`] if a process does not end within two seconds (it hangs in the kernel).
    pub fn remove(&self) -> Result<(), Error> {
        if let Some(unit) = self.path.unit() {
            self.kill()?;
            systemd::stop(unit)?;
        }
        if self.complete {
            return self.directories().try_for_each(|(_, path)| remove_group(path, self.path.below()));
        }
        remove_path(Layout::current()?, self.path.below())
    }
}

/// Removes the group `below` every hierarchy's root.
pub(crate) fn remove_path(layout: &Layout, below: &str) -> Result<(), Error> {
    let mut path = PathBuf::with_capacity(256);
    for root in layout.roots() {
        path.clear();
        path.extend([root, Path::new(below)]);
        remove_group(&path, below)?;
    }
    Ok(())
}

/// Usually the group is empty and one call does it; a killed process needs a moment to leave.
fn remove_group(path: &Path, below: &str) -> Result<(), Error> {
    const PATIENCE: u32 = 11;
    for attempt in 0.. {
        match remove_directory(path) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY) if attempt < PATIENCE => {
                Group::open(&GroupPath::parse(&format!("/{below}"))?)?.kill()?;
                remove_children(path);
                std::thread::sleep(Duration::from_millis(1 << attempt));
            }
            Err(source) => return Err(Error::Remove { path: path.to_owned(), source: source.into() }),
        }
    }
    Ok(())
}

/// Groups below that the container's own programs made.
fn remove_children(path: &Path) {
    for child in children(path) {
        remove_children(&child);
        // Still in use: the caller tries again.
        let _ = remove_directory(&child);
    }
}

fn remove_directory(path: &Path) -> rustix::io::Result<()> {
    rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)
}
