//! Suspension of all processes of a group.

use crate::Error;
use crate::files::Directory;

pub(crate) fn set_v1(group: &Directory, frozen: bool) -> Result<(), Error> {
    group.write("freezer.state", if frozen { "FROZEN" } else { "THAWED" })
}

pub(crate) fn set_v2(group: &Directory, frozen: bool) -> Result<(), Error> {
    group.write("cgroup.freeze", if frozen { "1" } else { "0" })
}
