//! Control groups of instances, version 1, version 2 and hybrid (cgroups(7)).
//!
//! Every instance has the group `/coracle/<id>` in the hierarchies that it needs, whatever its isolation level:
//!
//! - the unified (version 2) hierarchy always, if there is one: processes are *born* there (`CLONE_INTO_CGROUP`), it kills,
//!   freezes and accounts CPU time without any controller, and it carries the device filter as an eBPF program;
//! - a version 1 hierarchy only for a limit that was asked for. Moving a process into one takes a lock that waits for an RCU
//!   grace period of the whole machine (milliseconds), so no instance pays for limits that it does not have.

mod controller;
mod cpuset;
mod create;
mod devices;
mod error;
mod files;
mod freezer;
mod group;
mod hierarchy;
mod instance;
mod layout;
mod oom;
mod path;
mod remove;
mod resources;
mod signals;
pub mod stats;
mod systemd;
mod update;

pub use controller::Controller;
pub use devices::DevicePolicy;
pub use error::Error;
pub use group::{Group, Manager, Mover, Warning};
pub use instance::{Cgroup, Devices, destroy, list};
pub use layout::{Layout, Version};
pub use oom::OomNotifier;
pub use path::GroupPath;
pub use stats::{Stats, Usage};
pub use systemd::is_bus_message;
