//! The pids controller; both versions have the same files.

use crate::Error;
use crate::files::Directory;

pub(crate) fn limit(group: &Directory, count: u32) -> Result<(), Error> {
    group.write("pids.max", &count.to_string())
}

pub(crate) fn usage(group: &Directory) -> Option<u64> {
    group.read_number("pids.current")
}
