use crate::{Cgroup, Controller, cpu, memory, pids};

/// What the processes of an instance use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of memory: charged to the group if it has a memory controller, else the sum of resident sets.
    pub memory: u64,
    /// CPU time in nanoseconds, if the machine counts it.
    pub cpu_ns: Option<u64>,
    /// Processes and threads.
    pub pids: u64,
    /// Processes killed at the memory limit, if there is one.
    pub oom_kills: Option<u64>,
}

impl Cgroup {
    /// Reads the current use. A group that is going away counts as zero.
    pub fn stats(&self) -> Stats {
        let memory_v1 = self.legacy(Controller::Memory);
        let charged = match memory_v1 {
            Some(group) => memory::usage_v1(group),
            None => self.unified.as_ref().and_then(memory::usage_v2),
        };
        let oom_kills = match memory_v1 {
            Some(group) => memory::oom_kills(group, false),
            None => self.unified.as_ref().and_then(|group| memory::oom_kills(group, true)),
        };
        let cpu_v1 = || self.legacy(Controller::CpuAcct).and_then(cpu::usage_v1);
        Stats {
            memory: charged.unwrap_or_else(|| self.resident()),
            cpu_ns: self.unified.as_ref().and_then(cpu::usage_v2).or_else(cpu_v1),
            pids: self.count(),
            oom_kills,
        }
    }

    fn count(&self) -> u64 {
        let controller = self.legacy(Controller::Pids).or(self.unified.as_ref()).and_then(pids::usage);
        controller.unwrap_or_else(|| {
            let threads = self.unified.as_ref().and_then(|group| group.read("cgroup.threads").ok());
            threads.map_or(self.processes().len(), |text| text.lines().count()) as u64
        })
    }

    /// The sum of the resident sets, from `statm` of proc(5).
    fn resident(&self) -> u64 {
        let pages = |pid: i32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
            text.split(' ').nth(1)?.parse::<u64>().ok()
        };
        let total: u64 = self.processes().into_iter().filter_map(pages).sum();
        total * rustix::param::page_size() as u64
    }
}
