//! What instances use.

use std::collections::HashMap;
use std::fs;
use std::time::Instant;

use crate::{Engine, Error, Instance, groups};

/// What an instance has used up to now.
#[derive(Debug, Clone)]
pub struct Usage {
    /// When this was read.
    pub at: Instant,
    /// CPU time in nanoseconds, if the machine counts it.
    pub cpu_ns: Option<u64>,
    /// Bytes of memory.
    pub memory: u64,
    /// Its limit, or the machine's memory.
    pub memory_limit: u64,
    /// Bytes that it received and sent.
    pub network: (u64, u64),
    /// Bytes that its processes read from disks and wrote to them.
    pub block: (u64, u64),
    /// Processes and threads.
    pub pids: u64,
}

impl Engine {
    /// What an instance uses now; `None` if it does not run.
    pub fn usage(&self, instance: &Instance) -> Result<Option<Usage>, Error> {
        if !self.instances.load(&instance.plan.id)?.health.is_running() {
            return Ok(None);
        }
        let plan = &instance.plan;
        let stats = groups::usage(plan)?;
        Ok(Some(Usage {
            at: Instant::now(),
            cpu_ns: stats.cpu_ns,
            memory: stats.memory,
            memory_limit: plan.resources.memory.unwrap_or_else(crate::system::memory_total),
            network: network(&fs::read_to_string("/proc/net/dev").unwrap_or_default(), &plan.id.interface_name()),
            block: groups::processes(plan)?.into_iter().map(block).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            pids: stats.pids,
        }))
    }
}

/// Received and sent bytes of an instance, from the host's end of its link, where they are the other way round (proc(5)).
fn network(table: &str, interface: &str) -> (u64, u64) {
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'));
    let numbers: Vec<u64> = line.unwrap_or("").split_whitespace().filter_map(|n| n.parse().ok()).collect();
    match numbers[..] {
        [received, _, _, _, _, _, _, _, sent, ..] => (sent, received),
        _ => (0, 0),
    }
}

/// What a process has read from and written to disks.
fn block(pid: i32) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let values: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let value = |key| values.get(key).and_then(|n| n.parse().ok()).unwrap_or(0);
    (value("read_bytes"), value("write_bytes"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_hosts_end_sees_the_other_direction() {
        let table = "Inter-|   Receive\n face |bytes\n  crcl0123456789: 100 1 0 0 0 0 0 0 2000 2 0 0 0 0 0 0\n";
        assert_eq!(super::network(table, "crcl0123456789"), (2000, 100));
        assert_eq!(super::network(table, "crcl"), (0, 0));
    }
}
