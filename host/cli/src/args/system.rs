//! `coracle kernel`, `coracle system` and `coracle completion`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
