//! The control groups of an instance, whatever its level: a container's processes, a unikernel's, or the virtual machine's.

use std::ops::Deref;

use cgroup::{Cgroup, OomNotifier, Usage};
use plan::LaunchPlan;

use crate::Error;

/// Suspends or resumes all processes.
pub(crate) fn freeze(plan: &LaunchPlan, frozen: bool) -> Result<(), Error> {
    Ok(Cgroup::open(&plan.id)?.freeze(frozen)?)
}

/// Notices that the limit of memory was reached; `None` without a limit.
pub(crate) fn oom_notifier(plan: &LaunchPlan) -> Option<OomNotifier> {
    plan.resources.memory?;
    Cgroup::open(&plan.id).ok()?.oom_notifier().ok()
}

/// How many processes were killed at the limit of memory.
pub(crate) fn oom_kills(plan: &LaunchPlan) -> u64 {
    Cgroup::open(&plan.id).ok().and_then(|group| group.usage().oom_kills).unwrap_or(0)
}

/// The processes, as the host numbers them.
pub(crate) fn processes(plan: &LaunchPlan) -> Result<Vec<i32>, Error> {
    Ok(Cgroup::open(&plan.id)?.deref().processes(true))
}

/// What they use.
pub(crate) fn usage(plan: &LaunchPlan) -> Result<Usage, Error> {
    Ok(Cgroup::open(&plan.id)?.usage())
}
