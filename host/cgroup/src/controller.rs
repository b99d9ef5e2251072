use std::fmt;

/// A resource controller, by the name that both versions use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Memory.
    Memory,
    /// CPU bandwidth.
    Cpu,
    /// CPU time used (version 1 only; version 2 always counts it).
    CpuAcct,
    /// Sets of CPUs.
    CpuSet,
    /// Number of processes and threads.
    Pids,
    /// Device access (version 1 only; version 2 uses eBPF).
    Devices,
    /// Suspension (version 1 only; version 2 always can).
    Freezer,
}

impl Controller {
    pub(crate) const ALL: [Self; 7] =
        [Self::Memory, Self::Cpu, Self::CpuAcct, Self::CpuSet, Self::Pids, Self::Devices, Self::Freezer];

    /// Its name in mount options and in `cgroup.controllers`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::CpuAcct => "cpuacct",
            Self::CpuSet => "cpuset",
            Self::Pids => "pids",
            Self::Devices => "devices",
            Self::Freezer => "freezer",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|controller| controller.name() == name)
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
