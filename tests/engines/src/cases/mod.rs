//! What must be the same under every engine. Each case takes a fresh engine.

mod build;
mod execs;
mod identity;
mod limits;
mod runs;
mod security;
mod signals;
mod volumes;

pub use build::{build, failing_build};
pub use execs::{exec, exec_at_a_terminal};
pub use identity::{identity, joined_namespaces, terminals};
pub use limits::{limits, out_of_memory, update};
pub use runs::{created_and_started, health, logs_and_restart, runs, runs_at_once};
pub use security::{capabilities, masked_paths, privileged, seccomp, user_namespace};
pub use signals::{first_process, pause, signals};
pub use volumes::{read_only_root, volumes};
