use crate::files::Directory;
use crate::{Controller, Group};

/// What the processes of an instance use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory: charged to the group if it has a memory controller, else the sum of resident sets.
    pub memory: u64,
    /// CPU time in nanoseconds, if the machine counts it.
    pub cpu_ns: Option<u64>,
    /// Processes and threads.
    pub pids: u64,
    /// Processes killed at the memory limit, if there is one.
    pub oom_kills: Option<u64>,
}

impl Group {
    /// Reads the current use. A group that is going away counts as zero.
    pub fn usage(&self) -> Usage {
        let memory_v1 = self.legacy(Controller::Memory);
        let charged = match memory_v1 {
            Some(group) => usage_memory_v1(group),
            None => self.unified.as_ref().and_then(usage_memory_v2),
        };
        let oom_kills = match memory_v1 {
            Some(group) => oom_kills(group, false),
            None => self.unified.as_ref().and_then(|group| oom_kills(group, true)),
        };
        let cpu_v1 = || self.legacy(Controller::CpuAcct).and_then(usage_cpu_v1);
        Usage {
            memory: charged.unwrap_or_else(|| self.resident()),
            cpu_ns: self.unified.as_ref().and_then(usage_cpu_v2).or_else(cpu_v1),
            pids: self.count(),
            oom_kills,
        }
    }

    fn count(&self) -> u64 {
        let controller = self.legacy(Controller::Pids).or(self.unified.as_ref()).and_then(usage_pids);
        controller.unwrap_or_else(|| {
            let threads = self.unified.as_ref().and_then(|group| group.read("cgroup.threads").ok());
            threads.map_or(self.processes(false).len(), |text| text.lines().count()) as u64
        })
    }

    /// The sum of the resident sets, from `statm` of proc(5).
    fn resident(&self) -> u64 {
        let pages = |pid: i32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            text.split(' ').nth(1)?.parse::<u64>().ok()
        };
        let total: u64 = self.processes(false).into_iter().filter_map(pages).sum();
        total * rustix::param::page_size() as u64
    }
}

fn usage_memory_v1(group: &Directory) -> Option<u64> {
    group.read_number("memory.usage_in_bytes")
}

fn usage_memory_v2(group: &Directory) -> Option<u64> {
    group.read_number("memory.current")
}

/// How many processes the kernel killed because the limit was reached.
fn oom_kills(group: &Directory, version_2: bool) -> Option<u64> {
    let text = group.read(if version_2 { "memory.events" } else { "memory.oom_control" }).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

fn usage_pids(group: &Directory) -> Option<u64> {
    group.read_number("pids.current")
}

/// Nanoseconds of CPU time used, from `cpu.stat` of version 2, which needs no controller.
fn usage_cpu_v2(group: &Directory) -> Option<u64> {
    let text = group.read("cpu.stat").ok()?;
    let microseconds: u64 = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse().ok())?;
    Some(microseconds * 1000)
}

/// Nanoseconds of CPU time used, from `cpuacct.usage` of version 1.
fn usage_cpu_v1(group: &Directory) -> Option<u64> {
    group.read_number("cpuacct.usage")
}
