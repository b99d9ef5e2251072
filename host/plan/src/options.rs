//! What `docker run` calls the host configuration: everything beyond program, volumes, ports and the four common limits.
//!
//! All of it has a default, so that a plan written by an older version is read as what it meant then.

mod device;
mod host_entry;
mod limits;
mod mount;
mod namespaces;
mod security;
mod ulimit;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use device::{Device, DeviceParseError, DeviceRule};
pub use host_entry::{HostAddress, HostEntry, HostEntryParseError};
pub use limits::{BlockDeviceLimit, MoreLimits, ThrottleParseError};
pub use mount::{BindOptions, Mount, MountKind, MountParseError, Propagation, TmpfsOptions, parse_tmpfs};
pub use namespaces::{CgroupMode, IdMapping, IpcMode, ModeParseError, PidMode, UserMode, UtsMode};
pub use security::{SeccompChoice, Security, SecurityOption, SecurityParseError};
pub use ulimit::{Ulimit, UlimitParseError};

use crate::MacAddress;

/// The options of an instance that only the container level carries out in full.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Capabilities, system-call filter, labels, hidden paths.
    pub security: Security,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// More rules for devices, as `--device-cgroup-rule` has them.
    pub device_rules: Vec<DeviceRule>,
    /// File systems in memory, and bind mounts that say more than a volume can.
    pub mounts: Vec<Mount>,
    /// Which process tree is seen.
    pub pid: PidMode,
    /// Whose System V objects and message queues are seen.
    pub ipc: IpcMode,
    /// Whose host name is seen.
    pub uts: UtsMode,
    /// Whose user ids are used.
    pub user: UserMode,
    /// Which control groups are seen.
    pub cgroup: CgroupMode,
    /// The parent of the instance's control group.
    pub cgroup_parent: Option<String>,
    /// Kernel settings of the instance's namespaces.
    pub sysctl: BTreeMap<String, String>,
    /// Limits of setrlimit(2).
    pub ulimits: Vec<Ulimit>,
    /// Limits of control groups beyond [`Resources`](crate::Resources).
    pub limits: MoreLimits,
    /// The size of /dev/shm in bytes; 64 MiB if not given.
    pub shm_size: Option<u64>,
    /// How readily the kernel ends the program when memory is short (proc(5)).
    pub oom_score_adj: Option<i32>,
    /// The NIS domain name.
    pub domainname: Option<String>,
    /// Name servers instead of the engine's.
    pub dns: Vec<IpAddr>,
    /// Domains in which short names are looked up.
    pub dns_search: Vec<String>,
    /// Options of resolv.conf(5).
    pub dns_options: Vec<String>,
    /// Lines for /etc/hosts.
    pub hosts: Vec<HostEntry>,
    /// The address on the bridge; the next free one if not given.
    pub ip: Option<Ipv4Addr>,
    /// The Ethernet address; it follows from the address if not given.
    pub mac: Option<MacAddress>,
    /// Ports that the program listens on, `PORT/PROTOCOL`: from the image and `--expose`.
    pub exposed: Vec<String>,
    /// Seconds between the signal of `coracle stop` and SIGKILL, if the command does not say.
    pub stop_timeout: Option<u64>,
    /// Free key-value pairs for people and programs that look for instances.
    pub labels: BTreeMap<String, String>,
    /// Free key-value pairs for the runtime.
    pub annotations: BTreeMap<String, String>,
    /// Where the instance's id was written.
    pub cid_file: Option<PathBuf>,
}
