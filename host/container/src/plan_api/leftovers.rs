use std::collections::HashSet;

use plan::InstanceId;

use crate::error::Error;

/// Removes everything that an instance may have left on the host, killing what still runs. Nothing there is fine; so is
/// calling it for an instance whose engine was killed at any moment.
///
/// Mounts and namespaces need no removal: they belong to the container's processes and go with them.
///
/// # Errors
/// [`Error::Cgroup`] if a process cannot be ended.
pub fn destroy(id: &InstanceId) -> Result<(), Error> {
    Ok(cgroup::destroy(id)?)
}

/// The instances that have left something on the host although they are not among `live`.
///
/// # Errors
/// [`Error::Cgroup`] if the control groups cannot be listed.
pub fn orphans(live: &HashSet<InstanceId>) -> Result<Vec<InstanceId>, Error> {
    Ok(cgroup::list()?.into_iter().filter(|id| !live.contains(id)).collect())
}
