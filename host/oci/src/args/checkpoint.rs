use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::StartIo;
use crate::id::ContainerId;

/// What CRIU's dump and restore have in common.
#[derive(Debug, Args)]
pub(crate) struct CriuArgs {
    /// The directory of the image files
    #[arg(long, value_name = "DIR", default_value = "checkpoint")]
    pub(crate) image_path: PathBuf,
    /// The directory of CRIU's log
    #[arg(long, value_name = "DIR")]
    pub(crate) work_path: Option<PathBuf>,
    /// Allow open TCP connections
    #[arg(long)]
    pub(crate) tcp_established: bool,
    /// Allow Unix sockets that are connected outside
    #[arg(long)]
    pub(crate) ext_unix_sk: bool,
    /// Allow shell jobs
    #[arg(long)]
    pub(crate) shell_job: bool,
    /// Save and restore file locks
    #[arg(long)]
    pub(crate) file_locks: bool,
    /// How control groups are treated
    #[arg(long, value_name = "MODE", default_value = "soft")]
    pub(crate) manage_cgroups_mode: CgroupsMode,
    /// Make a namespace, but leave it as it is then (network)
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) empty_ns: Vec<String>,
    /// Keep no page twice in a chain of images
    #[arg(long)]
    pub(crate) auto_dedup: bool,
    /// Load memory when it is used, by userfaultfd(2)
    #[arg(long)]
    pub(crate) lazy_pages: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CgroupsMode {
    /// Restore what CRIU made
    Soft,
    /// Restore all
    Full,
    /// Fail if they exist
    Strict,
    /// Leave them alone
    Ignore,
}

/// `checkpoint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci checkpoint --image-path /var/tmp/box.img box
  coracle-oci checkpoint --leave-running --tcp-established box")]
pub(crate) struct CheckpointArgs {
    #[command(flatten)]
    pub(crate) criu: CriuArgs,
    /// Let the container run on
    #[arg(long)]
    pub(crate) leave_running: bool,
    /// Save memory only, and let the container run on
    #[arg(long)]
    pub(crate) pre_dump: bool,
    /// The images of an earlier --pre-dump, relative to the image files
    #[arg(long, value_name = "DIR")]
    pub(crate) parent_path: Option<PathBuf>,
    /// Send memory to a page server
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) page_server: Option<String>,
    /// CRIU writes a zero byte to this descriptor when lazy pages are ready
    #[arg(long, value_name = "FD")]
    pub(crate) status_fd: Option<u32>,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
}

/// `restore`.
#[derive(Debug, Args)]
#[command(after_help = "Example: coracle-oci restore --bundle /srv/box --image-path /var/tmp/box.img --detach box")]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) criu: CriuArgs,
    #[command(flatten)]
    pub(crate) io: StartIo,
    /// Return when the program runs
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// An LSM profile, TYPE:NAME
    #[arg(long, value_name = "TYPE:NAME")]
    pub(crate) lsm_profile: Option<String>,
    /// An LSM context for mounts
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) lsm_mount_context: Option<String>,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
}
