//! The boundary pieces that every isolation level of ours is built from.
//!
//! - [`EmptyContainer`]: a process with nothing — no files, no network, no privileges, no neighbours — except the
//!   descriptors that it is given. Monitors of virtual machines and unikernels run in it.
//! - [`seccomp`]: system-call filters as a sorted binary tree, and Docker's default profile.
//! - [`clone_process`], [`ExecArgs`], [`MountAttr`]: the kernel calls that no safe library offers yet, each in one small
//!   module. The container level shares them.
//!
//! Everything between [`clone_process`] and `execve` runs in a process that shares nothing with its parent but open
//! files. An [`EmptyContainer`] allocates nothing there, so it may be spawned from a program with several threads.

mod child;
mod clone;
mod empty;
mod error;
mod exec;
mod idmap;
mod keyring;
mod memory_policy;
mod mount_attr;
mod privileges;
mod report;
mod scheduling;
pub mod seccomp;

pub use child::{close_on_exec, exit_now, is_inherited, place, reset_signals, send_signal, unshare};
pub use clone::{CloneError, Cloned, Namespaces, clone_process, clone_sibling, clone_single_threaded};
pub use empty::{Attach, AttachError, EmptyContainer, Spawned, Volume};
pub use error::{Error, Stage};
pub use exec::ExecArgs;
pub use idmap::mapped_user_namespace;
pub use keyring::new_session_keyring;
pub use memory_policy::{set_memory_policy, set_personality};
pub use mount_attr::{MountAttr, OpenTreeFlags, Propagation, clone_tree, clone_tree_spreading};
pub use privileges::{become_user, bound_capabilities, set_capabilities};
pub use scheduling::{IoClass, SchedAttr, set_io_priority};
