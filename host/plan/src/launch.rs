use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{InstanceId, Lifecycle, NetworkPlan, Options, Resources, Volume};

/// The level at which an image runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// Processes of the host kernel behind namespaces and control groups.
    Container,
    /// A small Linux virtual machine.
    Microvm,
    /// One program and the library OS in one address space.
    Unikernel,
}

impl Isolation {
    /// The three levels, in the order in which tables show them.
    pub const ALL: [Self; 3] = [Self::Container, Self::Unikernel, Self::Microvm];
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Container => "container",
            Self::Microvm => "microvm",
            Self::Unikernel => "unikernel",
        })
    }
}

/// The text names no isolation level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no isolation level; choose container, unikernel or microvm")]
pub struct ParseIsolationError(String);

impl FromStr for Isolation {
    type Err = ParseIsolationError;

    fn from_str(text: &str) -> Result<Self, ParseIsolationError> {
        match text {
            "container" => Ok(Self::Container),
            "microvm" => Ok(Self::Microvm),
            "unikernel" => Ok(Self::Unikernel),
            _ => Err(ParseIsolationError(text.to_owned())),
        }
    }
}

/// Everything that a back end needs to know to start one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchPlan {
    /// The instance's identity.
    pub id: InstanceId,
    /// The instance's name, unique among instances.
    pub name: String,
    /// The level to run at.
    pub isolation: Isolation,
    /// The image's reference as the user wrote it.
    pub image: String,
    /// The manifest's digest, `sha256:…`.
    pub image_digest: String,
    /// The root file system.
    pub rootfs: RootFs,
    /// The program.
    pub process: Process,
    /// The host name inside.
    pub hostname: String,
    /// Host directories and files shared into the instance, in mount order.
    pub volumes: Vec<Volume>,
    /// Limits.
    pub resources: Resources,
    /// The network.
    pub network: NetworkPlan,
    /// The directory of this instance in the state directory; a back end may keep its sockets and files there.
    pub state_dir: PathBuf,
    /// Removes the instance when it ends.
    pub auto_remove: bool,
    /// The signal that asks the program to end (`StopSignal` of the image's configuration, or SIGTERM).
    pub stop_signal: i32,
    /// Prints each system call of the program to the instance's standard error (unikernel).
    pub trace_syscalls: bool,
    /// Starting again, health checks, logs.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Everything else that `docker run` can say.
    #[serde(default)]
    pub options: Options,
}

/// The root file system of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// The image as one read-only EROFS file.
    pub erofs: PathBuf,
    /// Refuses writes to the root file system instead of keeping them in an upper layer.
    pub read_only: bool,
}

/// The program of an instance and the environment that it sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The argument vector; its first element is looked up in the `PATH` of `env`, inside the image, unless it contains a slash.
    pub args: Vec<String>,
    /// The environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// The working directory, absolute; it is created if it does not exist.
    pub cwd: String,
    /// Who runs it. Names are already resolved with the image's `/etc/passwd` and `/etc/group`.
    pub user: User,
    /// Gives the program a terminal.
    pub terminal: bool,
}

/// Numeric identity of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub additional_gids: Vec<u32>,
}
