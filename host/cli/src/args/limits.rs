//! The limits of an instance.

use clap::Args;

/// What `run` and `compare` have in common.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Limit of the memory, without swap; for a microVM the size of its memory (units b, k, m, g)
    #[arg(short, long, value_name = "SIZE", value_parser = plan::parse_size)]
    pub(crate) memory: Option<u64>,
    /// Limit of the CPU time, in CPUs
    #[arg(long, value_name = "N", value_parser = plan::parse_cpus)]
    pub(crate) cpus: Option<u32>,
    /// The CPUs that may be used, for example 0-2,4
    #[arg(long, value_name = "LIST", value_parser = parse_cpuset)]
    pub(crate) cpuset_cpus: Option<String>,
    /// Limit of processes and threads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pids_limit: Option<u32>,
}

/// The list format of cpuset(7).
pub(super) fn parse_cpuset(text: &str) -> Result<String, String> {
    let number = |n: &str| n.parse::<u16>().ok();
    let range = |part: &str| match part.split_once('-') {
        None => number(part).is_some(),
        Some((low, high)) => number(low).zip(number(high)).is_some_and(|(low, high)| low <= high),
    };
    if text.split(',').all(range) { Ok(text.to_owned()) } else { Err("write CPUs as 0-2,4".to_owned()) }
}
