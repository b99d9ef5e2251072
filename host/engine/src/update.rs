//! Other limits for an instance, without a stop.

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};
use plan::{Isolation, Restart};

use crate::{Engine, Error, Instance, events};

/// What is to change; what is not given stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateRequest {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory with swap; -1: without end.
    pub memory_swap: Option<i64>,
    /// Bytes of memory that are left to it when memory is short.
    pub memory_reservation: Option<u64>,
    /// Thousandths of a CPU.
    pub cpu_millis: Option<u32>,
    /// Weight against others, 1024 being usual.
    pub cpu_shares: Option<u64>,
    /// The CPUs that may be used.
    pub cpuset: Option<String>,
    /// The memory nodes that may be used.
    pub cpuset_mems: Option<String>,
    /// Processes and threads; 0 or less: without end.
    pub pids: Option<i64>,
    /// Whether it is started again when it ends.
    pub restart: Option<Restart>,
}

impl Engine {
    /// Changes limits and the restart policy; for an instance that runs at once, else from its next start on.
    pub fn update(&self, what: &str, request: &UpdateRequest) -> Result<(), Error> {
        let found = self.started(what)?;
        let _lock = found.edit()?;
        let mut instance = self.instances.load(&found.plan.id)?;
        check(&instance, request)?;
        apply(&mut instance, request);
        crate::limits::check(&instance.plan.resources, instance.plan.isolation)?;
        if instance.health.is_running()
            && let Some(resources) = resources(request)
        {
            crate::groups::group(&instance.plan)?.update(&resources)?;
        }
        instance.save_plan()?;
        Self::tell_changed(&instance);
        events::write(&self.paths, &instance.plan, "update", &[]);
        Ok(())
    }
}

fn check(instance: &Instance, request: &UpdateRequest) -> Result<(), Error> {
    let level = instance.plan.isolation;
    if level == Isolation::Microvm && (request.memory.is_some() || request.memory_swap.is_some()) {
        let hint = ": the size of a virtual machine's memory is fixed at its start; run a new one with -m";
        return Err(Error::Unsupported { what: "update --memory", level, hint });
    }
    if instance.plan.auto_remove && request.restart.is_some_and(|restart| restart != Restart::No) {
        return Err(Error::Invalid("the instance was started with --rm: it is removed when it ends".to_owned()));
    }
    // Docker's rule, and the kernel's: the two limits are one if only one is given.
    match (request.memory.or(instance.plan.resources.memory), request.memory_swap) {
        (Some(memory), Some(swap)) if swap >= 0 && (swap as u64) < memory => Err(Error::Invalid(
            "the limit of memory with swap (--memory-swap) must not be below that of memory (-m)".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn apply(instance: &mut Instance, request: &UpdateRequest) {
    let plan = &mut instance.plan;
    let resources = &mut plan.resources;
    resources.memory = request.memory.or(resources.memory);
    resources.cpu_millis = request.cpu_millis.or(resources.cpu_millis);
    resources.cpuset = request.cpuset.clone().or(resources.cpuset.take());
    if let Some(pids) = request.pids {
        resources.pids = u32::try_from(pids).ok().filter(|n| *n > 0);
    }
    let limits = &mut plan.options.limits;
    limits.memory_swap = request.memory_swap.or(limits.memory_swap);
    limits.memory_reservation = request.memory_reservation.or(limits.memory_reservation);
    limits.cpu_shares = request.cpu_shares.or(limits.cpu_shares);
    limits.cpuset_mems = request.cpuset_mems.clone().or(limits.cpuset_mems.take());
    plan.lifecycle.restart = request.restart.unwrap_or(plan.lifecycle.restart);
}

/// The change as the specification writes it; `None` if no limit changes.
fn resources(request: &UpdateRequest) -> Option<LinuxResources> {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut resources = LinuxResources::default();
    let mut changed = false;
    if request.memory.is_some() || request.memory_swap.is_some() || request.memory_reservation.is_some() {
        let mut memory = LinuxMemory::default();
        memory.set_limit(request.memory.map(signed));
        memory.set_swap(request.memory_swap.or(request.memory.map(signed)));
        memory.set_reservation(request.memory_reservation.map(signed));
        resources.set_memory(Some(memory));
        changed = true;
    }
    let cpus = request.cpu_millis.is_some() || request.cpu_shares.is_some();
    if cpus || request.cpuset.is_some() || request.cpuset_mems.is_some() {
        let mut cpu = LinuxCpu::default();
        if let Some(millis) = request.cpu_millis {
            // No quota below 1 ms is taken, so very small shares have a longer period.
            let period: u64 = if millis < 10 { 1_000_000 } else { 100_000 };
            cpu.set_quota(Some(i64::from(millis) * period as i64 / 1000)).set_period(Some(period));
        }
        cpu.set_shares(request.cpu_shares);
        cpu.set_cpus(request.cpuset.clone()).set_mems(request.cpuset_mems.clone());
        resources.set_cpu(Some(cpu));
        changed = true;
    }
    if let Some(pids) = request.pids {
        let limit = if pids <= 0 { -1 } else { pids };
        resources.set_pids(Some(*LinuxPids::default().set_limit(limit)));
        changed = true;
    }
    resources.set_devices(None);
    changed.then_some(resources)
}
