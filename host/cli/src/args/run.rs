//! `coracle run`.

use clap::{Args, ValueEnum};
use plan::{Isolation, NetworkMode, PortMapping, Volume};

use super::lifecycle::LifecycleArgs;
use super::limits::Limits;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle run --rm -it --as container busybox sh
  coracle run --as unikernel -d -p 8080:80 -v /srv/www:/www:ro web

Exit status: the program's own; 128+n if signal n ended it; 125 if Coracle failed, 126 if the program cannot be
executed, 127 if it does not exist.")]
pub(crate) struct RunArgs {
    /// The isolation level
    #[arg(long = "as", value_name = "LEVEL", default_value = "container", value_parser = parse_level)]
    pub(crate) isolation: Isolation,
    /// Run in the background and print the instance's id
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Remove the instance when it ends
    #[arg(long)]
    pub(crate) rm: bool,
    /// The instance's name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Set an environment variable; without a value, take the command's own
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// The working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The host name inside
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// The user, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Replace the image's entry point
    #[arg(long, value_name = "COMMAND")]
    pub(crate) entrypoint: Option<String>,
    /// Share a host file or directory
    #[arg(short, long, value_name = "HOST:GUEST[:ro]", value_parser = parse_volume)]
    pub(crate) volume: Vec<Volume>,
    /// Publish a port
    #[arg(short, long, value_name = "[IP:]HOST_PORT:PORT[/udp]")]
    pub(crate) publish: Vec<PortMapping>,
    /// The network
    #[arg(long, value_name = "bridge|none", default_value = "bridge", value_parser = parse_network)]
    pub(crate) network: NetworkMode,
    /// Refuse writes to the root file system
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Print a trace to standard error: `syscalls` (unikernel)
    #[arg(long, value_name = "WHAT")]
    pub(crate) trace: Option<Trace>,
    #[command(flatten)]
    pub(crate) lifecycle: LifecycleArgs,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// The image
    pub(crate) image: String,
    /// The command and its arguments, instead of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trace {
    /// The program's system calls
    Syscalls,
}

fn parse_level(text: &str) -> Result<Isolation, plan::ParseIsolationError> {
    text.parse()
}

fn parse_network(text: &str) -> Result<NetworkMode, String> {
    match text {
        "bridge" => Ok(NetworkMode::Bridge),
        "none" => Ok(NetworkMode::None),
        _ => Err("choose bridge or none".to_owned()),
    }
}

/// Host paths may be relative to the working directory, as Docker's since 23.0.
fn parse_volume(text: &str) -> Result<Volume, String> {
    let (host, rest) = text.split_once(':').unwrap_or((text, ""));
    let host = std::path::absolute(host).map_err(|e| e.to_string())?;
    format!("{}:{rest}", host.display()).parse::<Volume>().map_err(|e| e.to_string())
}
