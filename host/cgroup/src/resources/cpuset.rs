//! `linux.resources.cpu.cpus` and `.mems`, in the list format of cpuset(7).

use oci_spec::runtime::LinuxCpu;

use super::{Need, strongest};
use crate::group::Place;
use crate::{Controller, Error};

const CPUS: &str = "linux.resources.cpu.cpus";
const MEMS: &str = "linux.resources.cpu.mems";

fn given(list: &Option<String>) -> Option<&str> {
    list.as_deref().map(str::trim).filter(|list| !list.is_empty())
}

pub(super) fn need(cpu: &LinuxCpu) -> Option<Need> {
    strongest(Controller::CpuSet, &[(CPUS, given(cpu.cpus()).map(|_| true)), (MEMS, given(cpu.mems()).map(|_| true))])
}

/// Both versions have the same files.
pub(super) fn apply(place: Place<'_>, cpu: &LinuxCpu) -> Result<(), Error> {
    let (Place::V1(group) | Place::V2(group)) = place;
    for (field, file, list) in [(CPUS, "cpuset.cpus", cpu.cpus()), (MEMS, "cpuset.mems", cpu.mems())] {
        if let Some(list) = given(list) {
            group.set(field, file, list)?;
        }
    }
    Ok(())
}
