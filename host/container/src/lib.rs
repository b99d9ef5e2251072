//! The container level: processes of the host kernel behind namespaces, control groups, capabilities and a system-call
//! filter, as a specification of the Open Container Initiative describes them.
//!
//! [`create`] clones the container's first process into its namespaces and returns at once; the child builds its root file
//! system by the ordered stages of [`Stage`] meanwhile, and then waits. [`Created::start`] releases it and returns when the
//! program has been executed, or says why not; [`Created::leave`] leaves it waiting for [`start`] from another process.
//! [`exec`] runs another program in a running container.
//!
//! The calling process must have one thread: the child is a complete copy of it (see [`jail::clone_process`]). Everything
//! in the container's root is reached by descriptor with `RESOLVE_IN_ROOT`, never by path, because the image's author
//! chooses what is a symbolic link there.

mod create;
mod error;
mod exec;
mod first;
pub mod hooks;
mod image;
mod inspect;
mod message;
mod mounts;
mod netlink;
mod own_program;
pub mod plan_api;
mod process;
pub mod rdt;
mod request;
mod root;
mod running;
mod spec;
mod start;
pub mod waiting;

pub use create::{Created, create};
pub use error::{Error, Stage};
pub use exec::{Target, exec};
pub use inspect::{bare_root, running_root, stopped_root};
pub use own_program::protect_own_program;
pub use process::{InvalidProcess, Reason, home_in_passwd, validate_process, warnings};
pub use request::{ExecOptions, Io, Options, Request, RootSource};
pub use running::Running;
pub use spec::{InvalidSpec, Problem, validate};
pub use start::start;
