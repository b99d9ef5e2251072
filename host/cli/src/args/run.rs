//! `coracle run`.

mod namespaces;
mod network;
mod resources;
mod security;
mod storage;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use plan::Isolation;

use super::exec::StreamArgs;
use super::lifecycle::LifecycleArgs;
use super::limits::Limits;
pub(crate) use namespaces::NamespaceArgs;
use network::NetworkArgs;
pub(crate) use resources::ResourceArgs;
pub(crate) use security::SecurityArgs;
pub(crate) use storage::{StorageArgs, VolumeArg};

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
    /// The user, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Replace the image's entry point
    #[arg(long, value_name = "COMMAND")]
    pub(crate) entrypoint: Option<String>,
    /// Read environment variables from a file, NAME=VALUE or NAME in each line
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
    /// A key-value pair for people and programs that look for instances
    #[arg(short, long, value_name = "KEY[=VALUE]", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Read labels from a file, KEY=VALUE in each line
    #[arg(long, value_name = "FILE")]
    pub(crate) label_file: Vec<PathBuf>,
    /// A key-value pair for the runtime
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) annotation: Vec<(String, String)>,
    /// Write the instance's id to a file that must not exist yet
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,
    /// The signal of `coracle stop`, instead of the image's
    #[arg(long, value_name = "SIGNAL", value_parser = engine::parse_signal)]
    pub(crate) stop_signal: Option<i32>,
    /// Seconds that `coracle stop` waits before SIGKILL
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stop_timeout: Option<u64>,
    /// When to get the image: there are no registries, so it must be here
    #[arg(long, value_name = "missing|never", default_value = "missing", value_parser = parse_pull)]
    pub(crate) pull: String,
    /// The processor that the image must be for
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<String>,
    /// Print a trace to standard error: `syscalls` (unikernel)
    #[arg(long, value_name = "WHAT")]
    pub(crate) trace: Option<Trace>,
    #[command(flatten)]
    pub(crate) lifecycle: LifecycleArgs,
    #[command(flatten)]
    pub(crate) streams: StreamArgs,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(flatten)]
    pub(crate) security: SecurityArgs,
    #[command(flatten)]
    pub(crate) namespaces: NamespaceArgs,
    #[command(flatten)]
    pub(crate) resources: ResourceArgs,
    /// The image
    pub(crate) image: String,
    /// The command and its arguments, instead of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

impl RunArgs {
    /// The container whose namespaces are shared, if there is one.
    pub(crate) fn joins(&self) -> Option<&str> {
        use plan::NetworkMode;
        use plan::options::{IpcMode, PidMode};
        match (&self.network.network, &self.namespaces.pid, &self.namespaces.ipc) {
            (Some(NetworkMode::Container(name)), ..) | (_, PidMode::Container(name), _) => Some(name),
            (_, _, IpcMode::Container(name)) => Some(name),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trace {
    /// The program's system calls
    Syscalls,
}

fn parse_level(text: &str) -> Result<Isolation, plan::ParseIsolationError> {
    text.parse()
}

fn parse_pull(text: &str) -> Result<String, String> {
    match text {
        "missing" | "never" => Ok(text.to_owned()),
        "always" => {
            Err("images come from archives here, not from registries: load it with `coracle image load`".to_owned())
        }
        _ => Err("choose missing or never".to_owned()),
    }
}

/// `KEY=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// A label without a value is empty.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() { Err("write KEY[=VALUE]".to_owned()) } else { Ok((key.to_owned(), value.to_owned())) }
}
