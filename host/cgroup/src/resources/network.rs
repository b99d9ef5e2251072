//! `linux.resources.network`: net_cls.rst and net_prio.rst, which version 2 has not.

use oci_spec::runtime::LinuxNetwork;

use super::Need;
use crate::group::Place;
use crate::{Controller, Error};

const CLASS: &str = "linux.resources.network.classID";
const PRIORITIES: &str = "linux.resources.network.priorities";

pub(super) fn needs(network: &LinuxNetwork) -> [Option<Need>; 2] {
    let class = network.class_id().filter(|class| *class != 0).map(|_| Need::limit(Controller::NetCls, CLASS));
    let given = network.priorities().as_ref().is_some_and(|priorities| !priorities.is_empty());
    [class, given.then(|| Need::limit(Controller::NetPrio, PRIORITIES))]
}

pub(super) fn apply_class(place: Place<'_>, network: &LinuxNetwork) -> Result<(), Error> {
    let (Place::V1(group) | Place::V2(group)) = place;
    network.class_id().map_or(Ok(()), |class| group.set(CLASS, "net_cls.classid", &class.to_string()))
}

/// One interface for each write.
pub(super) fn apply_priorities(place: Place<'_>, network: &LinuxNetwork) -> Result<(), Error> {
    let (Place::V1(group) | Place::V2(group)) = place;
    network.priorities().iter().flatten().try_for_each(|interface| {
        group.set(PRIORITIES, "net_prio.ifpriomap", &format!("{} {}", interface.name(), interface.priority()))
    })
}
