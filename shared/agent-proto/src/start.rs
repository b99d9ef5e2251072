use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// What the agent is to set up and run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// [`crate::VERSION`] of the host.
    pub version: u32,
    /// The host name.
    pub hostname: String,
    /// The instance's name, a second name for its address.
    pub name: String,
    /// Makes the root file system read-only; otherwise writes go to an upper layer in memory.
    pub read_only: bool,
    /// The program.
    pub program: Program,
    /// The network interface; `None` leaves loopback only.
    pub network: Option<Network>,
    /// Host directories and files, in mount order.
    pub volumes: Vec<Volume>,
    /// The largest number of processes and threads of the program.
    pub pids: Option<u32>,
    /// The host's clock, in nanoseconds since 1970; the guest's own may be wrong by up to a second after boot.
    pub realtime_ns: u64,
}

/// The program and the environment that it sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The argument vector; the first element is looked up in `PATH` unless it has a slash.
    pub args: Vec<String>,
    /// The environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// The working directory, absolute; it is created if it does not exist.
    pub cwd: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
    /// A terminal of this size for all three standard streams, instead of pipes.
    pub terminal: Option<Terminal>,
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// The configuration of the one network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The interface's address.
    pub address: Ipv4Addr,
    /// The length of its network prefix, in bits.
    pub prefix: u8,
    /// The default route.
    pub gateway: Ipv4Addr,
    /// Name servers for `/etc/resolv.conf`.
    pub dns: Vec<IpAddr>,
    /// The largest packet, in bytes.
    pub mtu: u32,
}

/// One volume: an entry in the root of the shared file system, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The entry's name.
    pub entry: String,
    /// The absolute path in the guest.
    pub target: String,
    /// The entry is a directory, else a single file.
    pub directory: bool,
    /// Refuses writes (the host refuses them, too).
    pub read_only: bool,
}
