//! Commands on instances.

use std::time::SystemTime;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Names {
    /// Names, ids, or beginnings of ids
    #[arg(required = true, value_name = "INSTANCE")]
    pub(crate) instances: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Also those that have ended
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only ids
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle logs -f web
  coracle logs --since 10m --tail 100 -t web

TIME is 10m (ago), 2026-01-31T12:00:00Z or seconds since 1970.")]
pub(crate) struct LogsArgs {
    /// Wait for more until the instance ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show when each line was printed
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// Only the last lines of those that are there
    #[arg(short = 'n', long, value_name = "N|all", value_parser = parse_tail)]
    pub(crate) tail: Option<usize>,
    /// Only lines from then on
    #[arg(long, value_name = "TIME", value_parser = engine::parse_time)]
    pub(crate) since: Option<SystemTime>,
    /// Only lines until then
    #[arg(long, value_name = "TIME", value_parser = engine::parse_time)]
    pub(crate) until: Option<SystemTime>,
    /// The instance
    pub(crate) instance: String,
}

fn parse_tail(text: &str) -> Result<usize, String> {
    if text == "all" { Ok(usize::MAX) } else { text.parse().map_err(|_| "write a number or all".to_owned()) }
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Seconds to wait before SIGKILL, instead of those of --stop-timeout or 10
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) time: Option<u64>,
    /// The signal that asks, instead of the image's (which is TERM if it says nothing)
    #[arg(short, long, value_parser = engine::parse_signal)]
    pub(crate) signal: Option<i32>,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The signal
    #[arg(short, long, default_value = "KILL", value_parser = engine::parse_signal)]
    pub(crate) signal: i32,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// End running instances first
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) names: Names,
}
