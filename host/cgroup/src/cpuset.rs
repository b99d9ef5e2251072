//! The cpuset controller. In version 1 a group without CPUs and memory nodes takes no process, so each level inherits
//! what it was not told.

use crate::Error;
use crate::files::Directory;

const CPUS: &str = "cpuset.cpus";
const MEMORY_NODES: &str = "cpuset.mems";

/// Fills an empty group from the one above.
pub(crate) fn inherit_v1(group: &Directory, above: &Directory) -> Result<(), Error> {
    for file in [CPUS, MEMORY_NODES] {
        if group.read(file)?.trim().is_empty() {
            group.write(file, above.read(file)?.trim())?;
        }
    }
    Ok(())
}

/// The CPUs that may be used, in the list format of cpuset(7).
pub(crate) fn limit(group: &Directory, cpus: &str) -> Result<(), Error> {
    group.write(CPUS, cpus)
}
