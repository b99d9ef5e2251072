//! Signals (signal(7)).
//!
//! A signal is *pending* for a thread or for the process until a thread that does not block it takes it, on its way back
//! to the application. Signals that would do nothing are dropped when they are sent, so [`pending_here`] says exactly
//! whether a wait has to end.

mod action;
mod info;
mod send;
mod set;

pub(crate) use action::{Disposition, ProcessSignals, ThreadSignals};
pub(crate) use info::Info;
pub(crate) use send::{drain_external, pending_here, post_external, send_to_process, send_to_thread, take_for_fd, watch};
pub(crate) use set::SigSet;

/// The calls of signals.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];
