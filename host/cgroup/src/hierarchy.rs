//! The version 2 tree: handing controllers down, and the caller's own place in it.

use std::path::Path;

use rustix::io::Errno;

use crate::Error;
use crate::files::Directory;
use crate::group::Group;
use crate::layout::Layout;
use crate::path::GroupPath;
use crate::resources::Need;

/// Hands version 2 controllers down to the group.
///
/// On a machine with version 2 alone all of them, as statistics need them and nobody has to be moved; beside version 1 only
/// what a limit needs and version 1 has not.
pub(crate) fn enable(layout: &Layout, group: &Group, needs: &[Need]) -> Result<(), Error> {
    let (Some(root), Some(unified)) = (layout.unified(), &group.unified) else { return Ok(()) };
    let required = |name: &str| {
        needs.iter().any(|need| {
            need.is_required()
                && need.controller.unified_name() == Some(name)
                && layout.legacy(need.controller).is_none()
        })
    };
    if !layout.is_pure() && !needs.iter().any(|need| need.controller.unified_name().is_some_and(required)) {
        return Ok(());
    }
    let available = layout.unified_controllers();
    let names = available.iter().filter_map(|controller| controller.unified_name());
    let wanted: Vec<_> = names.filter(|name| layout.is_pure() || required(name)).collect();
    let own = unified.read("cgroup.controllers")?;
    let missing: Vec<_> = wanted.into_iter().filter(|name| !own.split_ascii_whitespace().any(|n| n == *name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let below = group.path().below();
    hand_down(root, &missing, &required)?;
    for (at, _) in below.match_indices('/') {
        hand_down(&root.join(&below[..at]), &missing, &required)?;
    }
    Ok(())
}

/// Writes `cgroup.subtree_control`. What no limit needs may be refused.
fn hand_down(path: &Path, names: &[&str], required: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    const FILE: &str = "cgroup.subtree_control";
    let Some(directory) = Directory::open(path.to_owned())? else { return Ok(()) };
    let enabled = directory.read(FILE)?;
    let missing: Vec<_> = names.iter().filter(|name| !enabled.split_ascii_whitespace().any(|n| n == **name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let all = missing.iter().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ");
    let error = |value: &str, errno: Errno| {
        Err(Error::Write { path: directory.path().join(FILE), value: value.to_owned(), source: errno.into() })
    };
    match directory.try_write(FILE, &all) {
        Ok(()) => return Ok(()),
        // A group with processes of its own hands nothing down ("No Internal Process Constraint"). To try one by one would do
        // harm: the kernel takes those controllers that work on threads, and then no process can be put below any more.
        Err(Errno::BUSY) if missing.iter().any(|name| required(name)) => return error(&all, Errno::BUSY),
        Err(Errno::BUSY) => return Ok(()),
        Err(_) => {}
    }
    for name in missing {
        let value = format!("+{name}");
        match directory.try_write(FILE, &value) {
            Err(errno) if errno != Errno::NOENT && required(name) => return error(&value, errno),
            _ => {}
        }
    }
    Ok(())
}

/// The same path below the caller's own version 2 group.
pub(crate) fn below_own(layout: &Layout, path: &GroupPath) -> Option<GroupPath> {
    layout.unified()?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    GroupPath::parse(&format!("{own}/{}", path.below())).ok()
}
