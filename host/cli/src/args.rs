//! The flags. They only validate; `commands` does the work.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use plan::{Isolation, NetworkMode, PortMapping, Volume};

/// One engine, one image, three isolation levels: container, microVM, unikernel.
#[derive(Debug, Parser)]
#[command(name = "coracle", version, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Keep all state below this directory instead of /var/lib/coracle and /run/coracle
    #[arg(long, global = true, env = "CORACLE_ROOT", value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  coracle image pack --name redis /usr/bin/redis-server
  coracle run --as unikernel -d -p 7002:6379 -m 256M --name r2 redis redis-server --save \"\" --protected-mode no
  coracle compare redis redis-server --save \"\" --protected-mode no
  coracle system info

`coracle COMMAND --help` explains each command.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an image at one of the isolation levels
    Run(Box<RunArgs>),
    /// List instances
    Ps(PsArgs),
    /// Show what an instance printed
    Logs(LogsArgs),
    /// Show everything about instances
    Inspect(Names),
    /// Ask instances to end; end them after a while
    Stop(StopArgs),
    /// Send a signal to instances
    Kill(KillArgs),
    /// Remove instances
    Rm(RmArgs),
    /// Wait for instances to end, and print their exit statuses
    Wait(Names),
    /// Run a further program in a container
    Exec(ExecArgs),
    /// Connect to a running instance's streams
    Attach(AttachArgs),
    /// Pack, load, list and remove images
    #[command(subcommand)]
    Image(ImageCommand),
    /// Measure one application at every level, side by side
    Compare(CompareArgs),
    /// Guest kernels of microVMs
    #[command(subcommand)]
    Kernel(KernelCommand),
    /// What this machine can do, and what was left behind on it
    #[command(subcommand)]
    System(SystemCommand),
    /// Print a shell's completion script
    Completion(CompletionArgs),
}

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
pub(crate) struct LogsArgs {
    /// Wait for more until the instance ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show when each line was printed
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// The instance
    pub(crate) instance: String,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Seconds to wait before SIGKILL
    #[arg(short, long, default_value_t = 10, value_name = "SECONDS")]
    pub(crate) time: u64,
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

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Keep standard input open
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Do not wait for its end
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Set an environment variable
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// The working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The user, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// The instance
    pub(crate) instance: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// Do not pass standard input on
    #[arg(long)]
    pub(crate) no_stdin: bool,
    /// The instance
    pub(crate) instance: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Make an image of a program of this host and everything that it needs
    #[command(after_help = "\
Examples:
  coracle image pack --name redis /usr/bin/redis-server
  coracle image pack --name site --add /srv/www:/www /usr/sbin/nginx")]
    Pack(PackArgs),
    /// Load images from an OCI layout or a `docker save` archive
    Load(LoadArgs),
    /// Write an image as an OCI archive
    Save(SaveArgs),
    /// List images
    Ls(LsArgs),
    /// Show everything about images
    Inspect(ImageNames),
    /// Remove images
    Rm(ImageNames),
}

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The image's name, NAME[:TAG]
    #[arg(short, long)]
    pub(crate) name: String,
    /// Add a file or directory of the host
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_add)]
    pub(crate) add: Vec<(PathBuf, String)>,
    /// Set an environment variable in the image
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// The image's working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The image's user
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// The program
    pub(crate) program: PathBuf,
    /// Its default arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The archive, or the directory of an OCI layout; standard input if not given
    #[arg(short, long, value_name = "PATH")]
    pub(crate) input: Option<PathBuf>,
    /// A name for the image instead of the archive's own; only for archives with one image
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// No progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// The archive; standard output if not given
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// The image
    pub(crate) image: String,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only digests
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageNames {
    /// Names or digests
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle compare redis redis-server --save \"\" --protected-mode no
  coracle compare --rounds 5 --json redis > result.json

The image must hold a server that speaks the Redis protocol on the port given.")]
pub(crate) struct CompareArgs {
    /// How often each level is measured, in turn
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) rounds: u32,
    /// Requests of each measurement
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    pub(crate) requests: u32,
    /// Connections of the client
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) connections: u32,
    /// The server's port
    #[arg(long, default_value_t = 6379)]
    pub(crate) port: u16,
    /// Only these levels (also: host)
    #[arg(long, value_delimiter = ',', value_name = "LEVELS")]
    pub(crate) levels: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// The image
    pub(crate) image: String,
    /// The command and its arguments, instead of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KernelCommand {
    /// Install a guest kernel: Debian's cloud kernel, or that of a package file
    Install {
        /// A linux-image package (.deb) instead of the one that apt offers
        package: Option<PathBuf>,
    },
    /// Show the installed guest kernel
    Ls,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SystemCommand {
    /// What this machine can do, and why
    Info {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Find what belongs to no instance: mounts, control groups, interfaces, addresses, files
    Check {
        /// Remove it
        #[arg(long)]
        fix: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
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

fn parse_add(text: &str) -> Result<(PathBuf, String), String> {
    match text.split_once(':') {
        Some((host, guest)) if !host.is_empty() && guest.starts_with('/') => Ok((host.into(), guest.to_owned())),
        _ => Err("write HOST:GUEST with an absolute GUEST path".to_owned()),
    }
}

/// The list format of cpuset(7).
fn parse_cpuset(text: &str) -> Result<String, String> {
    let number = |n: &str| n.parse::<u16>().ok();
    let range = |part: &str| match part.split_once('-') {
        None => number(part).is_some(),
        Some((low, high)) => number(low).zip(number(high)).is_some_and(|(low, high)| low <= high),
    };
    if text.split(',').all(range) { Ok(text.to_owned()) } else { Err("write CPUs as 0-2,4".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_program_keeps_its_own_flags() {
        let cli = Cli::try_parse_from(["coracle", "run", "--as", "unikernel", "-m", "1g", "img", "cmd", "-d", "--rm"])
            .unwrap();
        let Command::Run(run) = cli.command else { panic!("not run") };
        assert_eq!((run.isolation, run.detach, run.limits.memory), (Isolation::Unikernel, false, Some(1 << 30)));
        assert_eq!(run.command, ["cmd", "-d", "--rm"]);
    }

    #[test]
    fn bad_values_are_refused() {
        for bad in [
            &["run", "--as", "vm", "i"][..],
            &["run", "-m", "0", "i"],
            &["run", "--cpus", "-1", "i"],
            &["run", "--cpuset-cpus", "3-1", "i"],
            &["run", "--pids-limit", "0", "i"],
            &["run", "-p", "99999:1", "i"],
            &["run", "-v", "/a", "i"],
            &["run", "--network", "host", "i"],
            &["run"],
        ] {
            assert!(Cli::try_parse_from([&["coracle"], bad].concat()).is_err(), "{bad:?}");
        }
    }
}
