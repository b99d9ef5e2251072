//! /sys: the few files that programs look for. Their contents do not change while an instance runs.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use boot_info::BootInfo;
use linux_abi::Errno;

use crate::machine::machine;
use crate::mem::Source;
use crate::vfs::tree::{Node, Tree};
use crate::vfs::{File, Kind, NewNode};

const DEVICE: u64 = 0x13;

/// The files with their contents.
fn files(info: &BootInfo<'_>) -> [(&'static str, String); 14] {
    let cpus = format!("0-{}\n", machine().cpus().saturating_sub(1));
    let limit = match info.memory_limit {
        0 => "max\n".into(),
        bytes => format!("{bytes}\n"),
    };
    [
        ("devices/system/cpu/online", cpus.clone()),
        ("devices/system/cpu/possible", cpus.clone()),
        ("devices/system/cpu/present", cpus.clone()),
        ("devices/system/cpu/kernel_max", "8191\n".into()),
        ("devices/system/node/online", "0\n".into()),
        ("devices/system/node/node0/cpulist", cpus),
        ("devices/system/clocksource/clocksource0/current_clocksource", "tsc\n".into()),
        ("kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n".into()),
        ("kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n".into()),
        ("fs/cgroup/cgroup.controllers", "cpu memory pids\n".into()),
        ("fs/cgroup/memory.max", limit),
        ("fs/cgroup/memory.swap.max", "0\n".into()),
        ("fs/cgroup/cpu.max", format!("{} 100000\n", u64::from(machine().cpus()) * 100_000)),
        ("fs/cgroup/pids.max", if info.max_threads == 0 { "max\n".into() } else { format!("{}\n", info.max_threads) }),
    ]
}

const DIRECTORY: NewNode<'static> =
    NewNode { kind: Kind::Directory, mode: 0o555, uid: 0, gid: 0, rdev: 0, target: b"" };

/// Makes the tree.
pub(super) fn root(info: &BootInfo<'_>) -> Result<Arc<Node>, Errno> {
    let tree: &'static Tree = Box::leak(Box::new(Tree::read_only(DEVICE)));
    let root = tree.root()?;
    root.set_mode(0o555);
    for (path, contents) in files(info) {
        let (directory, name) = path.rsplit_once('/').ok_or(Errno::EINVAL)?;
        let mut at = root.clone();
        for part in directory.split('/') {
            at = match at.add_unchecked(part.as_bytes(), &DIRECTORY) {
                Err(Errno::EEXIST) => at.child(part.as_bytes())?,
                result => result?,
            };
        }
        let new = NewNode { kind: Kind::Regular, mode: 0o444, ..DIRECTORY };
        let file = at.add_unchecked(name.as_bytes(), &new)?;
        file.write(&mut Source::kernel(contents.as_bytes()), 0)?;
    }
    Ok(root)
}
