//! The engine's older interface, by a [`plan::LaunchPlan`] instead of a specification.

mod create;
mod exec;
mod init;
mod leftovers;

pub use create::{Created, EtcFiles, create};
pub use exec::{Target, exec};
pub use leftovers::{destroy, orphans};
