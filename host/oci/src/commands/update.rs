use std::path::Path;

use oci_spec::runtime::{
    LinuxBlockIoBuilder, LinuxCpuBuilder, LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder,
};

use crate::args::UpdateArgs;
use crate::bundle::parse_resources;
use crate::commands::{Context, groups, rdt};
use crate::error::Error;
use crate::state::Status;

/// Changes the limits of a container.
pub(crate) fn update(context: &Context, args: &UpdateArgs) -> Result<(), Error> {
    let resources = match &args.resources {
        Some(file) => parse_resources(Path::new(file))?,
        None => from_flags(args)?,
    };
    let entry = context.root.open(&args.id)?;
    let _lock = entry.wait_lock()?;
    let record = entry.record()?;
    let (status, _) = entry.status(Some(&record))?;
    if matches!(status, Status::Stopped | Status::Creating) {
        return Err(Error::NotRunning(args.id.to_string()));
    }
    if args.l3_cache_schema.is_some() || args.mem_bw_schema.is_some() {
        rdt::update(&args.id, &entry.spec(&record)?, args.l3_cache_schema.as_deref(), args.mem_bw_schema.as_deref())?;
    }
    groups::update(context, &record, &resources)
}

/// The flags as the configuration's `linux.resources`, with only the fields that were given.
fn from_flags(args: &UpdateArgs) -> Result<LinuxResources, Error> {
    let invalid = |_| Error::Usage("these limits cannot be combined");
    let mut resources = LinuxResourcesBuilder::default();
    if let Some(cpu) = cpu(args) {
        resources = resources.cpu(cpu.build().map_err(invalid)?);
    }
    if let Some(memory) = memory(args) {
        resources = resources.memory(memory.build().map_err(invalid)?);
    }
    if let Some(limit) = args.pids_limit {
        resources = resources.pids(LinuxPidsBuilder::default().limit(limit).build().map_err(invalid)?);
    }
    if let Some(weight) = args.blkio_weight {
        resources = resources.block_io(LinuxBlockIoBuilder::default().weight(weight).build().map_err(invalid)?);
    }
    let mut resources = resources.build().map_err(invalid)?;
    // The builder's default denies all devices anew, which nobody asked for.
    resources.set_devices(None);
    Ok(resources)
}

/// Applies each flag that was given to a builder; none if none was.
macro_rules! given {
    ($builder:ty, $args:ident, { $($field:ident => $setter:ident),* $(,)? }) => {{
        let mut builder = <$builder>::default();
        let mut any = false;
        $(if let Some(value) = $args.$field.clone() {
            builder = builder.$setter(value);
            any = true;
        })*
        any.then_some(builder)
    }};
}

fn cpu(args: &UpdateArgs) -> Option<LinuxCpuBuilder> {
    given!(LinuxCpuBuilder, args, {
        cpu_period => period,
        cpu_quota => quota,
        cpu_burst => burst,
        cpu_share => shares,
        cpu_idle => idle,
        cpu_rt_period => realtime_period,
        cpu_rt_runtime => realtime_runtime,
        cpuset_cpus => cpus,
        cpuset_mems => mems,
    })
}

fn memory(args: &UpdateArgs) -> Option<LinuxMemoryBuilder> {
    // `kernel_memory` is refused by every kernel since 5.16 and ignored by every runtime.
    given!(LinuxMemoryBuilder, args, {
        kernel_memory_tcp => kernel_tcp,
        memory => limit,
        memory_reservation => reservation,
        memory_swap => swap,
    })
}
