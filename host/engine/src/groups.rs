//! The control groups of an instance, whatever its level: a container's processes, a unikernel's, or the virtual machine's.

use cgroup::{OomNotifier, Usage};
use plan::LaunchPlan;

use crate::Error;
pub(crate) use crate::launch::group;

/// Suspends or resumes all processes.
pub(crate) fn freeze(plan: &LaunchPlan, frozen: bool) -> Result<(), Error> {
    Ok(group(plan)?.freeze(frozen)?)
}

/// Notices that the limit of memory was reached; `None` without a limit.
pub(crate) fn oom_notifier(plan: &LaunchPlan) -> Option<OomNotifier> {
    plan.resources.memory?;
    group(plan).ok()?.oom_notifier().ok()
}

/// How many processes were killed at the limit of memory.
pub(crate) fn oom_kills(plan: &LaunchPlan) -> u64 {
    group(plan).ok().and_then(|group| group.usage().oom_kills).unwrap_or(0)
}

/// The processes, as the host numbers them.
pub(crate) fn processes(plan: &LaunchPlan) -> Result<Vec<i32>, Error> {
    Ok(group(plan)?.processes(true))
}

/// What they use.
pub(crate) fn usage(plan: &LaunchPlan) -> Result<Usage, Error> {
    Ok(group(plan)?.usage())
}
