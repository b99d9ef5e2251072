//! Control groups of instances, version 1, version 2 and hybrid (cgroups(7)).
//!
//! Every instance has the group `/coracle/<id>` in the hierarchies that it needs, whatever its isolation level:
//!
//! - the unified (version 2) hierarchy always, if there is one: processes are *born* there (`CLONE_INTO_CGROUP`), it kills,
//!   freezes and accounts CPU time without any controller, and it carries the device filter as an eBPF program;
//! - a version 1 hierarchy only for a limit that was asked for. Moving a process into one takes a lock that waits for an RCU
//!   grace period of the whole machine (milliseconds), so no instance pays for limits that it does not have.

mod controller;
mod cpu;
mod cpuset;
mod devices;
mod error;
mod files;
mod freezer;
mod group;
mod layout;
mod memory;
mod pids;
mod remove;
mod stats;

pub use controller::Controller;
pub use devices::Devices;
pub use error::Error;
pub use group::Cgroup;
pub use layout::{Layout, Version};
pub use remove::{destroy, list};
pub use stats::Stats;
