use clap::Args;
use plan::options::{BlockDeviceLimit, Ulimit};
use plan::parse_size;

use super::super::limits::parse_cpuset;

#[derive(Debug, Args)]
#[command(next_help_heading = "More limits (container)")]
pub(crate) struct ResourceArgs {
    /// Limit of memory and swap together; -1 for unlimited swap
    #[arg(long, value_name = "SIZE", value_parser = parse_swap, allow_hyphen_values = true)]
    pub(crate) memory_swap: Option<i64>,
    /// What is left to the instance when memory is short
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) memory_reservation: Option<u64>,
    /// How readily its pages are swapped, 0 to 100
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=100))]
    pub(crate) memory_swappiness: Option<u64>,
    /// Let programs wait at the memory limit instead of ending them (control groups of version 1)
    #[arg(long)]
    pub(crate) oom_kill_disable: bool,
    /// How readily the kernel ends the program when memory is short, -1000 to 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(-1000..=1000), allow_negative_numbers = true)]
    pub(crate) oom_score_adj: Option<i32>,
    /// Share of CPU time beside others; 1024 is usual
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=262_144))]
    pub(crate) cpu_shares: Option<u64>,
    /// The period of the CPU quota in microseconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..=1_000_000), conflicts_with = "cpus")]
    pub(crate) cpu_period: Option<u64>,
    /// CPU time in each period in microseconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1000..), conflicts_with = "cpus")]
    pub(crate) cpu_quota: Option<i64>,
    /// The memory nodes that may be used, for example 0-1
    #[arg(long, value_name = "LIST", value_parser = parse_cpuset)]
    pub(crate) cpuset_mems: Option<String>,
    /// Share of block devices' time, 10 to 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(10..=1000))]
    pub(crate) blkio_weight: Option<u16>,
    /// The same for one device
    #[arg(long, value_name = "DEVICE:N")]
    pub(crate) blkio_weight_device: Vec<BlockDeviceLimit>,
    /// Bytes a second that may be read from a device
    #[arg(long, value_name = "DEVICE:SIZE")]
    pub(crate) device_read_bps: Vec<BlockDeviceLimit>,
    /// Bytes a second that may be written to a device
    #[arg(long, value_name = "DEVICE:SIZE")]
    pub(crate) device_write_bps: Vec<BlockDeviceLimit>,
    /// Reads a second from a device
    #[arg(long, value_name = "DEVICE:N")]
    pub(crate) device_read_iops: Vec<BlockDeviceLimit>,
    /// Writes a second to a device
    #[arg(long, value_name = "DEVICE:N")]
    pub(crate) device_write_iops: Vec<BlockDeviceLimit>,
    /// A limit of setrlimit(2), for example nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub(crate) ulimit: Vec<Ulimit>,
}

fn parse_swap(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    let size = parse_size(text).map_err(|e| e.to_string())?;
    i64::try_from(size).map_err(|_| "too large".to_owned())
}
