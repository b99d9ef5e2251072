//! What the processes of a container use.

mod model;
mod parse;
mod read;

pub use model::{
    Blkio, BlkioEntry, Cpu, CpuSet, CpuUsage, HugePages, Memory, MemoryEntry, Pids, Psi, PsiTimes, Rdma, Stats,
    Throttling,
};
pub use read::{Files, Source};

use crate::files::Directory;
use crate::group::Place;
use crate::{Controller, Group};

/// The few numbers that a list of instances shows.
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
    /// Reads all statistics. A group that is going away counts as zero.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::read(self);
        if self.source(Controller::Memory).is_none() {
            stats.memory.usage.usage = self.resident();
        }
        if self.source(Controller::Pids).is_none() {
            stats.pids.current = self.count();
        }
        stats
    }

    /// Reads the few numbers that a list of instances shows. A group that is going away counts as zero.
    pub fn usage(&self) -> Usage {
        let memory = self.find(Controller::Memory);
        let charged = memory.and_then(|place| match place {
            Place::V1(group) => group.read_number("memory.usage_in_bytes"),
            Place::V2(group) => group.read_number("memory.current"),
        });
        let counted_v1 = || self.legacy(Controller::CpuAcct).and_then(|group| group.read_number("cpuacct.usage"));
        Usage {
            memory: charged.unwrap_or_else(|| self.resident()),
            cpu_ns: self.unified.as_ref().and_then(cpu_time).or_else(counted_v1),
            pids: self.count(),
            oom_kills: memory.and_then(oom_kills),
        }
    }

    fn count(&self) -> u64 {
        let controller = self.find(Controller::Pids).and_then(|place| match place {
            Place::V1(group) | Place::V2(group) => group.read_number("pids.current"),
        });
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
        let total: u64 = self.processes(true).into_iter().filter_map(pages).sum();
        total * rustix::param::page_size() as u64
    }
}

/// Nanoseconds of CPU time used, from `cpu.stat` of version 2, which needs no controller.
fn cpu_time(group: &Directory) -> Option<u64> {
    parse::key(&group.read("cpu.stat").ok()?, "usage_usec").map(|microseconds| microseconds.saturating_mul(1000))
}

/// How many processes the kernel killed because the limit was reached.
fn oom_kills(place: Place<'_>) -> Option<u64> {
    let text = match place {
        Place::V1(group) => group.read("memory.oom_control"),
        Place::V2(group) => group.read("memory.events"),
    };
    parse::key(&text.ok()?, "oom_kill")
}

impl Files for Group {
    fn source(&self, controller: Controller) -> Option<Source> {
        self.find(controller).map(|place| match place {
            Place::V1(_) => Source::V1,
            Place::V2(_) => Source::V2,
        })
    }

    fn text(&self, controller: Controller, source: Source, file: &str) -> Option<String> {
        let directory = match source {
            Source::V1 => self.legacy(controller),
            Source::V2 => self.unified.as_ref(),
        };
        directory?.read(file).ok()
    }

    fn page_sizes(&self) -> Vec<String> {
        let Some(Place::V1(group) | Place::V2(group)) = self.find(Controller::HugeTlb) else { return Vec::new() };
        let names = std::fs::read_dir(group.path()).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let size = |name: String| {
            let rest = name.strip_prefix("hugetlb.")?;
            let end = rest.strip_suffix(".usage_in_bytes").or(rest.strip_suffix(".current"))?;
            (!end.contains('.')).then(|| end.to_owned())
        };
        names.filter_map(size).collect()
    }
}
