//! `linux.resources.pids`.

use oci_spec::runtime::LinuxPids;

use super::Need;
use crate::group::Place;
use crate::{Controller, Error};

const LIMIT: &str = "linux.resources.pids.limit";

pub(super) fn need(pids: &LinuxPids) -> Need {
    if pids.limit() > 0 { Need::limit(Controller::Pids, LIMIT) } else { Need::default(Controller::Pids, LIMIT) }
}

/// Both versions have the same file.
pub(super) fn apply(place: Place<'_>, pids: &LinuxPids) -> Result<(), Error> {
    let (Place::V1(group) | Place::V2(group)) = place;
    let limit = if pids.limit() > 0 { pids.limit().to_string() } else { "max".to_owned() };
    group.set(LIMIT, "pids.max", &limit)
}
