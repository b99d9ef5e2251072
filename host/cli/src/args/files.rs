//! Commands on the files and limits of instances.

use std::path::PathBuf;

use clap::Args;
use engine::CopyEnd;
use plan::Restart;

use super::instances::Names;
use super::limits::parse_cpuset;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle cp web:/etc/nginx/nginx.conf .
  coracle cp site/. web:/srv/www
  coracle cp web:/var/log - | tar tv
  tar c data | coracle cp - db:/var/lib

A directory is copied into a directory that exists, or becomes one that does not; DIR/. copies what is in it.
Links inside the container lead nowhere but inside it. Works on running and on stopped containers.")]
pub(crate) struct CpArgs {
    /// Keep owners
    #[arg(short, long)]
    pub(crate) archive: bool,
    /// Copy what a link SOURCE points to, not the link
    #[arg(short = 'L', long)]
    pub(crate) follow_link: bool,
    /// NAME:PATH, a path of the host, or - for a tar stream
    pub(crate) source: CopyEnd,
    /// NAME:PATH, a path of the host, or - for a tar stream
    pub(crate) destination: CopyEnd,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  coracle diff web

A: added, C: changed, D: deleted.")]
pub(crate) struct DiffArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The instance
    pub(crate) instance: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle commit web web:patched
  coracle commit -c 'CMD [\"redis-server\"]' -c 'ENV MODE=test' -m 'with data' db db:test

Instructions: CMD ENTRYPOINT ENV EXPOSE LABEL STOPSIGNAL USER VOLUME WORKDIR.")]
pub(crate) struct CommitArgs {
    /// Change the image's configuration, as an instruction of a Dockerfile
    #[arg(short, long, value_name = "INSTRUCTION")]
    pub(crate) change: Vec<String>,
    /// A note for the image's history
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Who made it
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) author: Option<String>,
    /// Freeze the container meanwhile
    #[arg(short, long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) pause: bool,
    /// The instance
    pub(crate) instance: String,
    /// The image's name, NAME[:TAG]
    pub(crate) image: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle export -o web.tar web
  coracle export web | tar tv")]
pub(crate) struct ExportArgs {
    /// The archive; standard output if not given
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// The instance
    pub(crate) instance: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle update -m 512M --cpus 1.5 web
  coracle update --restart unless-stopped web db

Changes an instance that runs at once, another from its next start on.")]
pub(crate) struct UpdateArgs {
    /// Limit of the memory
    #[arg(short, long, value_name = "SIZE", value_parser = plan::parse_size)]
    pub(crate) memory: Option<u64>,
    /// Limit of memory and swap together; -1: no limit of swap
    #[arg(long, value_name = "SIZE", value_parser = parse_swap, allow_hyphen_values = true)]
    pub(crate) memory_swap: Option<i64>,
    /// What is left to the instance when memory is short
    #[arg(long, value_name = "SIZE", value_parser = plan::parse_size)]
    pub(crate) memory_reservation: Option<u64>,
    /// Limit of the CPU time, in CPUs
    #[arg(long, value_name = "N", value_parser = plan::parse_cpus)]
    pub(crate) cpus: Option<u32>,
    /// Share of CPU time when others want it too; 1024 is usual
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=262_144))]
    pub(crate) cpu_shares: Option<u64>,
    /// The CPUs that may be used, for example 0-2,4
    #[arg(long, value_name = "LIST", value_parser = parse_cpuset)]
    pub(crate) cpuset_cpus: Option<String>,
    /// The memory nodes that may be used
    #[arg(long, value_name = "LIST", value_parser = parse_cpuset)]
    pub(crate) cpuset_mems: Option<String>,
    /// Limit of processes and threads; -1: none
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) pids_limit: Option<i64>,
    /// Start the instance again when it ends: no, on-failure[:N], always, unless-stopped
    #[arg(long, value_name = "POLICY", value_parser = parse_restart)]
    pub(crate) restart: Option<Restart>,
    #[command(flatten)]
    pub(crate) names: Names,
}

fn parse_restart(text: &str) -> Result<Restart, plan::ParseRestartError> {
    text.parse()
}

fn parse_swap(text: &str) -> Result<i64, String> {
    if text == "-1" {
        return Ok(-1);
    }
    let bytes = plan::parse_size(text).map_err(|error| error.to_string())?;
    i64::try_from(bytes).map_err(|_| "too large".to_owned())
}
