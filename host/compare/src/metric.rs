use serde::Serialize;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// From the request to start until the server's first reply, in milliseconds.
    FirstReplyMs,
    /// Proportional set size of every process of the idle instance, its supervisor included, in MiB (`smaps_rollup` of proc(5)).
    IdlePssMib,
    /// SET requests a second, one at a time on each connection.
    SetRps1,
    /// GET requests a second, one at a time on each connection.
    GetRps1,
    /// SET requests a second, 16 at a time on each connection.
    SetRps16,
    /// GET requests a second, 16 at a time on each connection.
    GetRps16,
    /// CPU time of all of the instance's processes for each SET, one at a time, in microseconds.
    SetCpu1,
    /// CPU time for each GET, one at a time, in microseconds.
    GetCpu1,
    /// CPU time for each SET, 16 at a time, in microseconds.
    SetCpu16,
    /// CPU time for each GET, 16 at a time, in microseconds.
    GetCpu16,
    /// The cheapest system call (getppid(2)), in nanoseconds.
    NullCallNs,
    /// Bytes on disk beside the image: what the level adds to it, in MiB.
    DiskMib,
}

impl Metric {
    /// All, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::FirstReplyMs,
        Self::IdlePssMib,
        Self::DiskMib,
        Self::NullCallNs,
        Self::GetRps1,
        Self::SetRps1,
        Self::GetRps16,
        Self::SetRps16,
        Self::GetCpu1,
        Self::SetCpu1,
        Self::GetCpu16,
        Self::SetCpu16,
    ];

    /// The row's title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::FirstReplyMs => "start to first reply, ms",
            Self::IdlePssMib => "memory when idle (PSS), MiB",
            Self::DiskMib => "on disk beside the image, MiB",
            Self::NullCallNs => "system call (getppid), ns",
            Self::GetRps1 => "GET, requests/s",
            Self::SetRps1 => "SET, requests/s",
            Self::GetRps16 => "GET in pipelines of 16, requests/s",
            Self::SetRps16 => "SET in pipelines of 16, requests/s",
            Self::GetCpu1 => "CPU per GET, µs",
            Self::SetCpu1 => "CPU per SET, µs",
            Self::GetCpu16 => "CPU per GET in pipelines of 16, µs",
            Self::SetCpu16 => "CPU per SET in pipelines of 16, µs",
        }
    }
}
