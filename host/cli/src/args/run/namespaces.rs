use clap::Args;
use plan::options::{CgroupMode, IdMapping, IpcMode, PidMode, UserMode, UtsMode};

#[derive(Debug, Args)]
#[command(next_help_heading = "Namespaces (container)")]
pub(crate) struct NamespaceArgs {
    /// Whose processes are seen: private, host or container:NAME
    #[arg(long, value_name = "MODE", default_value = "private")]
    pub(crate) pid: PidMode,
    /// Whose shared memory is seen: private, shareable, host or container:NAME
    #[arg(long, value_name = "MODE", default_value = "private")]
    pub(crate) ipc: IpcMode,
    /// Whose host name is seen: private or host
    #[arg(long, value_name = "MODE", default_value = "private")]
    pub(crate) uts: UtsMode,
    /// Whose user ids are used: host, auto or keep-id
    #[arg(long, value_name = "MODE", default_value = "host")]
    pub(crate) userns: UserMode,
    /// Map user ids of the instance to others of the host
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", conflicts_with = "userns")]
    pub(crate) uidmap: Vec<IdMapping>,
    /// Map group ids; those of --uidmap if not given
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT", conflicts_with = "userns")]
    pub(crate) gidmap: Vec<IdMapping>,
    /// Which control groups are seen: private or host
    #[arg(long, value_name = "MODE", default_value = "private")]
    pub(crate) cgroupns: CgroupMode,
    /// Put the instance's control group below another one
    #[arg(long, value_name = "PATH")]
    pub(crate) cgroup_parent: Option<String>,
}
