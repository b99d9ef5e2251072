//! Which devices a group may make and open.

mod bpf;
mod program;
mod rules;
mod v1;

use std::os::fd::{AsFd, OwnedFd};

use crate::Error;
use crate::files::{Directory, Made};
use crate::layout::{Layout, PARENT};

pub(crate) use rules::Rules;
pub(crate) use v1::restrict as restrict_v1;

/// Which devices a container may make and open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DevicePolicy {
    /// All that its files and capabilities allow: for our own monitors, which open what they need.
    Unrestricted,
    /// `linux.resources.devices`, in order and after "nothing", then the devices that the specification gives every container.
    Rules,
}

/// The group that keeps the default filter loaded between containers. Its name changes with the default rules.
const KEEPER: &str = "device-filter-3";

/// Attaches the eBPF filter, which goes away with the group, in place of the one that is there.
///
/// The kernel needs 0.3 ms to verify and translate a program, and a moment to attach a known one: so the first container
/// with the usual rules leaves it attached to a group of its own, without processes, where the next ones find it.
pub(crate) fn restrict_v2(layout: &Layout, group: &Directory, rules: &Rules, made: Made) -> Result<(), Error> {
    let error = |source| Error::DeviceFilter { path: group.path().to_owned(), source };
    let known = if rules.is_usual() { usual_program(layout) } else { None };
    let program = match known {
        Some(program) => program,
        None => bpf::load(&program::of(rules)).map_err(error)?,
    };
    let present = if made == Made::New { None } else { bpf::ours(group.as_fd()).map_err(error)? };
    bpf::attach(group.as_fd(), program.as_fd(), present.as_ref().map(AsFd::as_fd)).map_err(error)
}

/// The program with the usual rules, from the group that keeps it. Without one the next container loads its own.
fn usual_program(layout: &Layout) -> Option<OwnedFd> {
    let root = layout.unified()?;
    let below = format!("{PARENT}/{KEEPER}");
    if let Ok(Some(keeper)) = Directory::open(root.join(&below))
        && let Ok(Some(program)) = bpf::attached(keeper.as_fd())
    {
        return Some(program);
    }
    let keeper = Directory::create_below(root, &below).ok()?.0;
    let rules = Rules::of(None).ok()?;
    let program = bpf::load(&program::of(&rules)).ok()?;
    // Two that start at once both attach theirs, and one stays.
    bpf::attach_only(keeper.as_fd(), program.as_fd()).ok()?;
    Some(program)
}
