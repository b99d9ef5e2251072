//! Commands that act on instances that exist, and show what they do.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use engine::EventFilter;

use super::exec::StreamArgs;
use super::instances::Names;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle start web db
  coracle start -ai shell")]
pub(crate) struct StartArgs {
    /// Show the program's output, pass signals on, and leave with its exit status
    #[arg(short, long)]
    pub(crate) attach: bool,
    /// Pass standard input on
    #[arg(short, long)]
    pub(crate) interactive: bool,
    #[command(flatten)]
    pub(crate) streams: StreamArgs,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  coracle rename eager_skiff_1a2b web")]
pub(crate) struct RenameArgs {
    /// The instance
    pub(crate) instance: String,
    /// Its new name
    pub(crate) name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle port web
  coracle port web 80/tcp")]
pub(crate) struct PortArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The instance
    pub(crate) instance: String,
    /// Only this port of the instance
    #[arg(value_name = "PORT[/PROTOCOL]")]
    pub(crate) port: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle top web
  coracle top web -o pid,user,etime,args

The process numbers are the host's.")]
pub(crate) struct TopArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The instance
    pub(crate) instance: String,
    /// Options of ps(1)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PS_OPTION")]
    pub(crate) options: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle stats
  coracle stats --no-stream --json web db")]
pub(crate) struct StatsArgs {
    /// Also instances that do not run
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Print one measurement (of a second) and leave
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Names, ids, or beginnings of ids; all that run if not given
    #[arg(value_name = "INSTANCE")]
    pub(crate) instances: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle events
  coracle events --since 1h --until 0s --filter event=die --filter container=web
  coracle events --format json | jq .Action

Events: create start die oom stop kill restart pause unpause rename update attach exec_create exec_start exec_die
health_status commit destroy. TIME is 10m (ago), 2026-01-31T12:00:00Z or seconds since 1970.")]
pub(crate) struct EventsArgs {
    /// Also those from then on that were before now
    #[arg(long, value_name = "TIME", value_parser = engine::parse_time)]
    pub(crate) since: Option<SystemTime>,
    /// Leave when this moment is over
    #[arg(long, value_name = "TIME", value_parser = engine::parse_time)]
    pub(crate) until: Option<SystemTime>,
    /// Only these: event=, container=, image=, level=, type=
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) filter: Vec<EventFilter>,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line for people
    Text,
    /// One JSON object a line
    Json,
}
