//! What the host tells a unikernel at start.
//!
//! The host's engine encodes it into one read-only memory region; the guest decodes it in place, without allocating.
#![no_std]
#![forbid(unsafe_code)]

mod codec;
mod list;
mod sites;

pub use codec::DecodeError;
pub use list::StrList;
pub use sites::{Site, Sites};

/// The version of the layout; host and guest must agree.
pub const VERSION: u32 = 1;

/// Everything that the guest knows about its instance.
#[derive(Debug, Clone, Copy)]
pub struct BootInfo<'a> {
    /// The argument vector.
    pub args: StrList<'a>,
    /// The environment.
    pub env: StrList<'a>,
    /// The working directory.
    pub cwd: &'a str,
    /// The host name.
    pub hostname: &'a str,
    /// The contents of `/etc/hosts`, where the engine has some.
    pub etc_hosts: &'a str,
    /// The contents of `/etc/resolv.conf`, where the engine has some.
    pub resolv_conf: &'a str,
    /// Volumes, in mount order: `guest path`, then `rw` or `ro`, then `dir` or `file`; volume *n* is `/volumes/n` of the empty root.
    pub volumes: StrList<'a>,
    /// The memory limit in bytes, 0 for none.
    pub memory_limit: u64,
    /// The number of CPUs.
    pub cpus: u32,
    /// The largest number of threads, 0 for no limit.
    pub max_threads: u32,
    /// User id of the program.
    pub uid: u32,
    /// Group id of the program.
    pub gid: u32,
    /// Supplementary group ids, little-endian `u32`s.
    pub groups: &'a [u8],
    /// The root file system refuses writes.
    pub read_only: bool,
    /// The console is a terminal.
    pub terminal: bool,
    /// Print each system call.
    pub trace: bool,
    /// The network, if there is one.
    pub network: Option<Network>,
}

/// The instance's Ethernet and IPv4 configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The instance's Ethernet address.
    pub mac: [u8; 6],
    /// The instance's IPv4 address.
    pub address: [u8; 4],
    /// The length of the subnet's prefix.
    pub prefix: u8,
    /// The default gateway.
    pub gateway: [u8; 4],
    /// The largest IP packet in bytes.
    pub mtu: u16,
}
