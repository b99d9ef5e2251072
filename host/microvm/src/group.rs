//! The control group of QEMU and the volumes' server.

use cgroup::{Cgroup, Devices};
use plan::{InstanceId, LaunchPlan, Resources};

use crate::Error;
use crate::size::Size;

/// What a QEMU process needs on top of the virtual machine's memory: its own code and data, the translator's cache and the page
/// cache of the console's log. Measured: 60 to 110 MiB.
const OVERHEAD: u64 = 160 << 20;

/// A group that is removed when this value is dropped; its processes must have ended.
pub(crate) struct Group {
    id: InstanceId,
    cgroup: Cgroup,
}

impl Group {
    /// The group for this plan; `None` without root, where only a plan without limits is possible.
    ///
    /// The limit of processes is the guest kernel's to enforce: QEMU's own threads are not the program's.
    pub(crate) fn make(plan: &LaunchPlan, size: Size) -> Result<Option<Self>, Error> {
        let asked = &plan.resources;
        let limits = Resources {
            memory: asked.memory.map(|_| (size.memory << 20) + OVERHEAD),
            cpu_millis: asked.cpu_millis,
            cpuset: asked.cpuset.clone(),
            pids: None,
        };
        if limits == Resources::default() && !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let cgroup = Cgroup::create(&plan.id, &limits, Devices::Unrestricted)?;
        Ok(Some(Self { id: plan.id.clone(), cgroup }))
    }

    pub(crate) fn add(&self, pid: u32) -> Result<(), Error> {
        Ok(self.cgroup.add(pid.cast_signed())?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What cannot be removed now is found by `coracle system check`.
        let _ = cgroup::destroy(&self.id);
    }
}
