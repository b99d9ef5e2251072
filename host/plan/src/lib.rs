//! What is to run, and how: pure data that the engine makes once and every isolation level reads.
//!
//! Nothing in here has an effect. The engine resolves an image and the user's flags into a [`LaunchPlan`]; the back ends
//! (`container`, `microvm`, `unikernel`) turn it into a running instance. The plan is stored with the instance, so it is
//! also what `coracle inspect` shows.

mod failure;
mod id;
mod launch;
mod lifecycle;
mod network;
pub mod options;
mod resources;
mod status;
mod stdio;
mod volume;

pub use failure::FailureClass;
pub use id::{InstanceId, InvalidId};
pub use launch::{Isolation, LaunchPlan, ParseIsolationError, Process, RootFs, User};
pub use lifecycle::{HealthCheck, Lifecycle, LogConfig, LogDriver, ParseLogDriverError, ParseRestartError, Restart};
pub use network::{
    MacAddress, MacParseError, NetworkMode, NetworkModeParseError, NetworkPlan, PortMapping, PortParseError, Protocol,
};
pub use options::Options;
pub use resources::{Resources, SizeParseError, parse_cpus, parse_size};
pub use status::ExitStatus;
pub use stdio::Stdio;
pub use volume::{Volume, VolumeParseError};
