//! The control groups below one parent, in whichever hierarchies this host has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every place where a hierarchy is mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("procfs");
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields.filter(|f| matches!(f[2], "cgroup" | "cgroup2")).map(|f| PathBuf::from(f[1])).collect()
}

/// The first of these files of a group, wherever it is.
pub(crate) fn read(group: &str, names: &[&str]) -> Option<String> {
    let dirs: Vec<_> = hierarchies().iter().map(|mount| mount.join(group.trim_start_matches('/'))).collect();
    let files = dirs.iter().flat_map(|dir| names.iter().map(move |name| dir.join(name)));
    files.filter_map(|file| fs::read_to_string(file).ok()).map(|text| text.trim().to_owned()).next()
}

/// The names of a group's children, in all hierarchies together.
pub(crate) fn children(group: &str) -> BTreeSet<String> {
    let dirs = hierarchies().into_iter().map(|mount| mount.join(group.trim_start_matches('/')));
    dirs.flat_map(|dir| subdirectories(&dir)).filter_map(|dir| dir.file_name()?.to_str().map(str::to_owned)).collect()
}

/// Removes a group with everything below it, where no process is left.
pub(crate) fn remove(group: &str) {
    for mount in hierarchies() {
        remove_tree(&mount.join(group.trim_start_matches('/')));
    }
}

fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn remove_tree(dir: &Path) {
    for child in subdirectories(dir) {
        remove_tree(&child);
    }
    let _ = fs::remove_dir(dir);
}
