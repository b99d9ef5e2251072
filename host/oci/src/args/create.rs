use std::path::PathBuf;

use clap::Args;

use crate::id::ContainerId;

/// What `create`, `run` and `restore` have in common.
#[derive(Debug, Args)]
pub(crate) struct StartIo {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) bundle: PathBuf,
    /// A socket that receives the terminal's master side
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// Write the first process's id to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Enter the root file system by MS_MOVE and chroot, for bundles on the initial RAM file system
    #[arg(long)]
    pub(crate) no_pivot: bool,
    /// Kept for compatibility: nothing of this runtime stays to reap
    #[arg(long, hide = true)]
    pub(crate) no_subreaper: bool,
}

/// `create`, and most of `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci create --bundle /srv/box box
  coracle-oci create --console-socket /run/tty.sock --pid-file /run/box.pid box")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) io: StartIo,
    /// The configuration's file, instead of config.json in the bundle
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A socket that receives a pidfd of the first process
    #[arg(long, value_name = "SOCKET")]
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// Keep the caller's session keyring
    #[arg(long)]
    pub(crate) no_new_keyring: bool,
    /// Hand down this many descriptors after the standard ones and those of LISTEN_FDS
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) preserve_fds: u32,
    /// The container's name: letters, digits and _+-.
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
}

/// `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci run box
  coracle-oci run --detach --pid-file /run/box.pid --bundle /srv/box box

Exit status: the program's own, 128+n if signal n ended it, 1 after an error.")]
pub(crate) struct RunArgs {
    /// Return when the program runs
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Do not delete the container when it ends
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) create: CreateArgs,
}
