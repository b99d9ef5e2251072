use std::path::PathBuf;

use clap::Args;

use crate::id::ContainerId;

/// `update`: what is not given stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci update --memory 512M --memory-swap -1 --pids-limit 100 box
  echo '{\"cpu\":{\"quota\":50000,\"period\":100000}}' | coracle-oci update -r - box")]
pub(crate) struct UpdateArgs {
    /// Take the limits from this file, or from standard input for -; all other flags are ignored then
    #[arg(short, long, value_name = "FILE")]
    pub(crate) resources: Option<PathBuf>,
    /// Weight of block I/O, 10 to 1000
    #[arg(long, value_name = "N")]
    pub(crate) blkio_weight: Option<u16>,
    /// Length of a CPU period in microseconds
    #[arg(long, value_name = "US")]
    pub(crate) cpu_period: Option<u64>,
    /// CPU time in a period in microseconds; -1 for no limit
    #[arg(long, value_name = "US", allow_negative_numbers = true)]
    pub(crate) cpu_quota: Option<i64>,
    /// CPU time that may be saved for a burst, in microseconds
    #[arg(long, value_name = "US")]
    pub(crate) cpu_burst: Option<u64>,
    /// Relative weight of CPU time
    #[arg(long, value_name = "N", alias = "cpu-shares")]
    pub(crate) cpu_share: Option<u64>,
    /// Run only when nothing else wants the CPU: 1 for yes
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(i64).range(0..=1))]
    pub(crate) cpu_idle: Option<i64>,
    /// Length of a real-time period in microseconds
    #[arg(long, value_name = "US")]
    pub(crate) cpu_rt_period: Option<u64>,
    /// Real-time CPU time in a period in microseconds
    #[arg(long, value_name = "US", allow_negative_numbers = true)]
    pub(crate) cpu_rt_runtime: Option<i64>,
    /// CPUs that may be used, for example 0-2,4
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_cpus: Option<String>,
    /// Memory nodes that may be used
    #[arg(long, value_name = "LIST")]
    pub(crate) cpuset_mems: Option<String>,
    /// Refused by Linux since 5.16; accepted and ignored
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = parse_bytes)]
    pub(crate) kernel_memory: Option<i64>,
    /// Limit of kernel memory for TCP buffers (version 1)
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = parse_bytes)]
    pub(crate) kernel_memory_tcp: Option<i64>,
    /// Limit of the memory (units b, k, m, g); -1 for none
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = parse_bytes)]
    pub(crate) memory: Option<i64>,
    /// Memory that is reclaimed last
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = parse_bytes)]
    pub(crate) memory_reservation: Option<i64>,
    /// Limit of memory and swap together; -1 for none
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, value_parser = parse_bytes)]
    pub(crate) memory_swap: Option<i64>,
    /// Limit of processes and threads; -1 for none
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) pids_limit: Option<i64>,
    /// Intel RDT's L3 cache schema
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) l3_cache_schema: Option<String>,
    /// Intel RDT's memory bandwidth schema
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) mem_bw_schema: Option<String>,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
}

fn parse_bytes(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    let bytes = if text == "0" { Ok(0) } else { plan::parse_size(text).map_err(|e| e.to_string()) }?;
    i64::try_from(bytes).map_err(|_| format!("'{text}' is more than 2^63 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_bytes("-1"), Ok(-1));
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("512M"), Ok(512 << 20));
        assert_eq!(parse_bytes("4096"), Ok(4096));
        for bad in ["", "-2", "1x", "99999999999999999999", "9223372036854775808"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
