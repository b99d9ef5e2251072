//! `linux.resources` of the OCI runtime specification, one module for each controller.

mod block_io;
mod cpu;
mod cpuset;
mod huge_pages;
mod memory;
mod network;
mod pids;
mod rdma;
mod unified;

pub(crate) use cpu::{quota_per_second, weight_of};
use oci_spec::runtime::LinuxResources;

use crate::files::Field;
use crate::group::{Group, Place, Warning};
use crate::{Controller, Error};

/// A controller that a field of the configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) controller: Controller,
    pub(crate) field: Field,
    strength: Strength,
}

/// Whether a missing controller is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    /// The value is what is so without the controller.
    Default,
    Limit,
}

impl Need {
    fn limit(controller: Controller, field: Field) -> Self {
        Self { controller, field, strength: Strength::Limit }
    }

    fn default(controller: Controller, field: Field) -> Self {
        Self { controller, field, strength: Strength::Default }
    }

    /// Whether there is a limit that only this controller can enforce.
    pub(crate) fn is_required(&self) -> bool {
        self.strength == Strength::Limit
    }
}

/// The strongest need of some fields: a limit if any is one.
fn strongest(controller: Controller, fields: &[(Field, Option<bool>)]) -> Option<Need> {
    let limit = fields.iter().find(|(_, limit)| *limit == Some(true));
    let any = fields.iter().find(|(_, limit)| limit.is_some());
    limit.map(|(field, _)| Need::limit(controller, field)).or(any.map(|(field, _)| Need::default(controller, field)))
}

/// Which controllers these limits need.
pub(crate) fn needs(resources: &LinuxResources) -> Vec<Need> {
    [
        resources.memory().as_ref().and_then(memory::need),
        resources.cpu().as_ref().and_then(cpu::need),
        resources.cpu().as_ref().and_then(cpuset::need),
        resources.pids().as_ref().map(pids::need),
        resources.block_io().as_ref().and_then(block_io::need),
        resources.hugepage_limits().as_deref().and_then(huge_pages::need),
        resources.rdma().as_ref().and_then(rdma::need),
    ]
    .into_iter()
    .chain(resources.network().as_ref().map(network::needs).unwrap_or_default())
    .flatten()
    .chain(resources.unified().iter().flat_map(unified::needs))
    .collect()
}

/// Writes every field. Devices are not written here: their rules are one list.
pub(crate) fn apply(group: &Group, resources: &LinuxResources) -> Result<Vec<Warning>, Error> {
    let mut warnings = Vec::new();
    for need in needs(resources) {
        let place = match group.find(need.controller) {
            Some(place) => place,
            None if need.is_required() => group.place(need.controller, need.field)?,
            None => continue,
        };
        apply_one(need.controller, place, resources, &mut warnings)?;
    }
    if let Some(map) = resources.unified() {
        unified::apply(group, map)?;
    }
    Ok(warnings)
}

fn apply_one(
    controller: Controller,
    place: Place<'_>,
    resources: &LinuxResources,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    match controller {
        Controller::Memory => resources.memory().as_ref().map(|memory| memory::apply(place, memory, warnings)),
        Controller::Cpu => resources.cpu().as_ref().map(|cpu| cpu::apply(place, cpu)),
        Controller::CpuSet => resources.cpu().as_ref().map(|cpu| cpuset::apply(place, cpu)),
        Controller::Pids => resources.pids().as_ref().map(|pids| pids::apply(place, pids)),
        Controller::Blkio => resources.block_io().as_ref().map(|block_io| block_io::apply(place, block_io)),
        Controller::HugeTlb => resources.hugepage_limits().as_deref().map(|limits| huge_pages::apply(place, limits)),
        Controller::Rdma => resources.rdma().as_ref().map(|rdma| rdma::apply(place, rdma)),
        Controller::NetCls => resources.network().as_ref().map(|network| network::apply_class(place, network)),
        Controller::NetPrio => resources.network().as_ref().map(|network| network::apply_priorities(place, network)),
        Controller::CpuAcct | Controller::Devices | Controller::Freezer | Controller::Systemd => None,
    }
    .unwrap_or(Ok(()))
}

/// A limit where -1 stands for none.
fn or_max(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}
