//! The flags. They only validate; `commands` does the work.

mod checkpoint;
mod create;
mod exec;
mod list;
mod update;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::checkpoint::{CgroupsMode, CheckpointArgs, CriuArgs, RestoreArgs};
pub(crate) use self::create::{CreateArgs, RunArgs, StartIo};
pub(crate) use self::exec::ExecArgs;
pub(crate) use self::list::{Format, ListArgs, PsArgs};
pub(crate) use self::update::UpdateArgs;
use crate::id::ContainerId;

const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), "\ncommit: coracle-", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0");

/// An OCI runtime: runs one bundle as a container, a microVM or a unikernel.
#[derive(Debug, Parser)]
#[command(name = "coracle-oci version", bin_name = "coracle-oci", version = VERSION, max_term_width = 110)]
#[command(disable_version_flag = true, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// Print the version
    #[arg(short = 'v', short_alias = 'V', long, action = clap::ArgAction::Version)]
    version: (),
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  coracle-oci spec                                   # writes config.json beside rootfs/
  coracle-oci run box                                # in the foreground
  coracle-oci create --bundle /srv/box box && coracle-oci start box
  coracle-oci exec -t box sh
  podman --runtime /usr/bin/coracle-oci run --rm alpine echo hello

`coracle-oci COMMAND --help` explains each command. Exit status: 0, or 1 after an error; `run` and `exec` in the foreground
give the program's own, 128+n if signal n ended it; `exec` gives 255 if the program was not started.";

/// Flags that stand before the command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Globals {
    /// Keep the state of containers below this directory [default: /run/coracle-oci, or $XDG_RUNTIME_DIR/coracle-oci for
    /// other users than root]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Append errors to this file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// The form of the lines in the log file
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Say what is done
    #[arg(long)]
    pub(crate) debug: bool,
    /// Make control groups through systemd; linux.cgroupsPath has the form slice:prefix:name
    #[arg(long)]
    pub(crate) systemd_cgroup: bool,
    /// Whether to go on without control groups that this user may not make
    #[arg(long, value_name = "auto|true|false", default_value = "auto")]
    pub(crate) rootless: Rootless,
    /// Who makes control groups
    #[arg(long, value_name = "MANAGER", default_value = "cgroupfs")]
    pub(crate) cgroup_manager: CgroupManager,
    /// The criu program of checkpoint and restore
    #[arg(long, value_name = "PATH", default_value = "criu", hide = true)]
    pub(crate) criu: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// time="…" level=error msg="…"
    Text,
    /// {"level":"error","msg":"…","time":"…"}
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rootless {
    /// If this is not the host's root
    Auto,
    /// Yes
    True,
    /// No
    False,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CgroupManager {
    /// Directories in the control group file systems
    Cgroupfs,
    /// systemd's scopes
    Systemd,
    /// None are made
    Disabled,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a container; its program waits for `start`
    Create(Box<CreateArgs>),
    /// Let a created container's program run
    #[command(after_help = "Example: coracle-oci start box")]
    Start(Id),
    /// Print a container's state as JSON
    #[command(after_help = "Example: coracle-oci state box | jq -r .status")]
    State(Id),
    /// Send a signal to a container
    Kill(KillArgs),
    /// Remove a stopped container
    Delete(DeleteArgs),
    /// Run a further program in a container
    Exec(Box<ExecArgs>),
    /// Create and start a container
    Run(Box<RunArgs>),
    /// List a container's processes
    Ps(PsArgs),
    /// List the containers
    List(ListArgs),
    /// Suspend all processes of a container
    #[command(after_help = "Example: coracle-oci pause box")]
    Pause(Id),
    /// Let a paused container go on
    #[command(after_help = "Example: coracle-oci resume box")]
    Resume(Id),
    /// Change a container's resource limits
    Update(Box<UpdateArgs>),
    /// Print statistics and out-of-memory notices of a container as JSON lines
    Events(EventsArgs),
    /// Print what this runtime supports, as the specification's features.md
    #[command(after_help = "Example: coracle-oci features | jq .linux.seccomp")]
    Features,
    /// Write an example config.json
    Spec(SpecArgs),
    /// Save a running container to files, by CRIU
    Checkpoint(Box<CheckpointArgs>),
    /// Make a container from saved files, by CRIU
    Restore(Box<RestoreArgs>),
    /// Print a shell's completion script
    Completion(CompletionArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci kill box
  coracle-oci kill --all box KILL")]
pub(crate) struct KillArgs {
    /// Every process of the container, not only its first
    #[arg(short, long)]
    pub(crate) all: bool,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
    /// The signal, by name or number
    #[arg(default_value = "TERM", value_parser = crate::sys::parse_signal)]
    pub(crate) signal: i32,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci delete box
  coracle-oci delete --force box        # kills it first; succeeds if there is none")]
pub(crate) struct DeleteArgs {
    /// End it first if it runs (SIGKILL); succeed if it does not exist
    #[arg(short, long)]
    pub(crate) force: bool,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci events --stats box
  coracle-oci events --interval 1s box")]
pub(crate) struct EventsArgs {
    /// Print the statistics once
    #[arg(long)]
    pub(crate) stats: bool,
    /// Time between two statistics
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_interval)]
    pub(crate) interval: std::time::Duration,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
}

fn parse_interval(text: &str) -> Result<std::time::Duration, String> {
    let time: std::time::Duration = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if time.is_zero() { Err("an interval must be longer than 0".to_owned()) } else { Ok(time) }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mkdir -p box/rootfs && coracle-oci spec --bundle box
  coracle-oci spec --rootless")]
pub(crate) struct SpecArgs {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) bundle: PathBuf,
    /// For a container without root privileges
    #[arg(long)]
    pub(crate) rootless: bool,
    /// Write this file instead of config.json
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: coracle-oci completion bash > /etc/bash_completion.d/coracle-oci")]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
