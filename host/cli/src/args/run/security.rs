use clap::Args;
use plan::options::{Device, DeviceRule, SecurityOption};

#[derive(Debug, Args)]
#[command(next_help_heading = "Privileges (container)")]
pub(crate) struct SecurityArgs {
    /// All capabilities and devices, no filter, nothing hidden
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Add a capability; ALL adds all
    #[arg(long, value_name = "CAP", value_parser = engine::parse_capability)]
    pub(crate) cap_add: Vec<String>,
    /// Take a capability away; ALL takes all
    #[arg(long, value_name = "CAP", value_parser = engine::parse_capability)]
    pub(crate) cap_drop: Vec<String>,
    /// no-new-privileges[=false], seccomp=unconfined|FILE, apparmor=PROFILE, label=…, systempaths=unconfined, mask=PATH,
    /// unmask=ALL|PATH
    #[arg(long, value_name = "OPTION")]
    pub(crate) security_opt: Vec<SecurityOption>,
    /// Give access to a device of the host
    #[arg(long, value_name = "HOST[:GUEST][:rwm]")]
    pub(crate) device: Vec<Device>,
    /// Allow devices by number
    #[arg(long, value_name = "'TYPE MAJOR:MINOR rwm'")]
    pub(crate) device_cgroup_rule: Vec<DeviceRule>,
    /// Add the program's user to a group, by name or number
    #[arg(long, value_name = "GROUP")]
    pub(crate) group_add: Vec<String>,
    /// Set a kernel setting of the instance's own namespaces
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::pair)]
    pub(crate) sysctl: Vec<(String, String)>,
}
