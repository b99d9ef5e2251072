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
    /// Block devices: `blkio` of version 1, `io` of version 2.
    Blkio,
    /// Huge pages.
    HugeTlb,
    /// RDMA handles and objects.
    Rdma,
    /// Class of network packets (version 1 only).
    NetCls,
    /// Priority of network packets (version 1 only).
    NetPrio,
    /// Not a controller: the version 1 hierarchy in which systemd tracks its units.
    Systemd,
}

impl Controller {
    pub(crate) const ALL: [Self; 13] = [
        Self::Memory,
        Self::Cpu,
        Self::CpuAcct,
        Self::CpuSet,
        Self::Pids,
        Self::Devices,
        Self::Freezer,
        Self::Blkio,
        Self::HugeTlb,
        Self::Rdma,
        Self::NetCls,
        Self::NetPrio,
        Self::Systemd,
    ];

    /// Its name in mount options of version 1.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::CpuAcct => "cpuacct",
            Self::CpuSet => "cpuset",
            Self::Pids => "pids",
            Self::Devices => "devices",
            Self::Freezer => "freezer",
            Self::Blkio => "blkio",
            Self::HugeTlb => "hugetlb",
            Self::Rdma => "rdma",
            Self::NetCls => "net_cls",
            Self::NetPrio => "net_prio",
            Self::Systemd => "name=systemd",
        }
    }

    /// Its name in `cgroup.controllers` of version 2; none for those that version 2 has not or needs not.
    pub const fn unified_name(self) -> Option<&'static str> {
        match self {
            Self::Memory | Self::Cpu | Self::CpuSet | Self::Pids | Self::HugeTlb | Self::Rdma => Some(self.name()),
            Self::Blkio => Some("io"),
            Self::CpuAcct | Self::Devices | Self::Freezer | Self::NetCls | Self::NetPrio | Self::Systemd => None,
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|controller| controller.name() == name)
    }

    pub(crate) fn from_unified_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|controller| controller.unified_name() == Some(name))
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
