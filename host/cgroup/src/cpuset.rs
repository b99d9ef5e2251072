//! The cpuset controller of version 1, where a group without CPUs and memory nodes takes no process: each level inherits what
//! it was not told.

use std::path::Path;

use crate::Error;
use crate::files::Directory;

/// Fills the group `below` a hierarchy's root, and those above it, each from the one above.
pub(crate) fn fill_v1(root: &Path, below: &str) -> Result<(), Error> {
    let open = |path: &Path| Directory::create(path.to_owned()).map(|(directory, _)| directory);
    let mut above = open(root)?;
    let ends = below.match_indices('/').map(|(at, _)| at).chain([below.len()]);
    for end in ends {
        let group = open(&root.join(&below[..end]))?;
        inherit(&group, &above)?;
        above = group;
    }
    Ok(())
}

fn inherit(group: &Directory, above: &Directory) -> Result<(), Error> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if group.read(file)?.trim().is_empty() {
            group.write(file, above.read(file)?.trim())?;
        }
    }
    Ok(())
}
