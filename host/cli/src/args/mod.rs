//! The flags. They only validate; `commands` does the work.

mod compare;
mod control;
mod exec;
mod files;
mod images;
mod instances;
mod lifecycle;
mod limits;
mod run;
mod system;
mod volumes;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use compare::CompareArgs;
pub(crate) use control::{EventsArgs, Format, PortArgs, RenameArgs, StartArgs, StatsArgs, TopArgs};
pub(crate) use exec::{AttachArgs, ExecArgs, StreamArgs};
pub(crate) use files::{CommitArgs, CpArgs, DiffArgs, ExportArgs, UpdateArgs};
pub(crate) use images::{ImageCommand, ImageNames, LoadArgs, LsArgs, PackArgs, SaveArgs};
pub(crate) use instances::{KillArgs, LogsArgs, Names, PsArgs, RmArgs, StopArgs};
pub(crate) use limits::Limits;
pub(crate) use run::{NamespaceArgs, ResourceArgs, RunArgs, SecurityArgs, StorageArgs, Trace, VolumeArg};
pub(crate) use system::{CompletionArgs, KernelCommand, SystemCommand};
pub(crate) use volumes::{VolumeCommand, VolumeLsArgs};

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
    /// Make an instance without starting it
    Create(Box<RunArgs>),
    /// Start instances that were made or have ended
    Start(StartArgs),
    /// Stop instances and start them again
    Restart(StopArgs),
    /// Freeze all processes of instances
    Pause(Names),
    /// Let paused instances go on
    Unpause(Names),
    /// Give an instance another name
    Rename(RenameArgs),
    /// List instances
    Ps(PsArgs),
    /// Show what an instance printed
    Logs(LogsArgs),
    /// Show the processes of an instance
    Top(TopArgs),
    /// Show what instances use: CPU, memory, network, disks
    Stats(StatsArgs),
    /// Change limits and the restart policy of instances
    Update(UpdateArgs),
    /// Copy files between a container and the host
    Cp(CpArgs),
    /// Show what a container has changed in its image
    Diff(DiffArgs),
    /// Make an image of a container
    Commit(CommitArgs),
    /// Write all files of a container as a tar archive
    Export(ExportArgs),
    /// Show what happens to instances
    Events(EventsArgs),
    /// Show where the ports of an instance are published
    Port(PortArgs),
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
    /// Make, list and remove named volumes
    #[command(subcommand)]
    Volume(VolumeCommand),
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

impl Command {
    /// The running instance whose namespaces the command enters, if it does.
    pub(crate) fn joins(&self) -> Option<&str> {
        match self {
            Self::Exec(args) => Some(&args.instance),
            Self::Run(args) | Self::Create(args) => args.joins(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use plan::Isolation;

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
            &["run", "--network", "macvlan", "i"],
            &["run"],
        ] {
            assert!(Cli::try_parse_from([&["coracle"], bad].concat()).is_err(), "{bad:?}");
        }
    }
}
