//! Which devices a group may make and open.

mod bpf;
mod program;
mod rules;
mod v1;

use std::os::fd::AsFd;

use crate::Error;
use crate::files::Directory;
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
const KEEPER: &str = "device-filter-2";

/// Attaches the eBPF filter, which goes away with the group.
///
/// The kernel needs 0.3 ms to verify and translate a program, and a moment to attach a known one: so the first container
/// with the usual rules leaves it attached to a group of its own, without processes, where the next ones find it.
pub(crate) fn restrict_v2(layout: &Layout, group: &Directory, rules: &Rules) -> Result<(), Error> {
    let error = |source| Error::DeviceFilter { path: group.path().to_owned(), source };
    let code = program::of(rules);
    let usual = rules.is_usual();
    let keeper =
        usual.then(|| layout.unified().map(|root| Directory::create_below(root, &format!("{PARENT}/{KEEPER}"))));
    let keeper = keeper.flatten().and_then(|made| made.ok()).map(|(directory, _)| directory);
    if let Some(keeper) = &keeper
        && let Ok(Some(program)) = bpf::attached(keeper.as_fd())
    {
        return bpf::attach(group.as_fd(), program.as_fd()).map_err(error);
    }
    let program = bpf::load(&code).map_err(error)?;
    if let Some(keeper) = &keeper {
        // Without a keeper the next container loads its own.
        let _ = bpf::attach(keeper.as_fd(), program.as_fd());
    }
    bpf::attach(group.as_fd(), program.as_fd()).map_err(error)
}
