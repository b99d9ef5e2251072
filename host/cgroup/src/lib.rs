//! Control groups of containers and of the engine's instances, version 1, version 2 and hybrid (cgroups(7)).
//!
//! A [`Group`] is one container's, with the limits of `linux.resources` of the OCI runtime specification; [`Cgroup`] is the group
//! `/coracle/<id>` of an instance, whatever its isolation level. docs/oci/cgroups.md says which field ends in which file.
//!
//! - The unified (version 2) hierarchy is used always, if there is one: processes are *born* there (`CLONE_INTO_CGROUP`), it kills,
//!   freezes and accounts CPU time without any controller, and it carries the device filter as an eBPF program.
//! - A version 1 hierarchy is used for a limit that was asked for, and if somebody chose the group's path and will look there.
//!   Moving a process into one by its number takes a lock that waits for an RCU grace period of the whole machine
//!   (milliseconds); a process that moves itself ([`Mover`]) does not.

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
