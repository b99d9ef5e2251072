//! What an instance's processes use, from /proc.

use std::collections::HashMap;
use std::fs;

/// The process and all that descend from it.
pub(crate) fn tree(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        found.extend(children.get(&found[at]).into_iter().flatten());
        at += 1;
    }
    found
}

/// Field 4 of `/proc/PID/stat`, counted behind the name's closing parenthesis.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat[stat.rfind(')')? + 1..].split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Proportional set size in bytes: each page divided by the number of processes that map it.
pub(crate) fn pss(pids: &[i32]) -> u64 {
    let one = |pid: &i32| -> Option<u64> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let kib = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        Some(kib.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    pids.iter().filter_map(one).sum()
}

/// CPU time in nanoseconds of all threads: the first field of `/proc/PID/task/TID/schedstat`.
pub(crate) fn cpu_ns(pids: &[i32]) -> u64 {
    let thread = |path: std::path::PathBuf| -> Option<u64> {
        fs::read_to_string(path.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    let threads = |pid: &i32| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    pids.iter().flat_map(threads).filter_map(|task| thread(task.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_uses_something() {
        let me = std::process::id() as i32;
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        assert!(tree(me).contains(&(child.id() as i32)));
        assert!(pss(&[me]) > 4096);
        let before = cpu_ns(&[me]);
        let spin = (0..20_000_000u64).fold(0, |a: u64, b| std::hint::black_box(a ^ b));
        assert!(cpu_ns(&[me]) > before, "{spin}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
