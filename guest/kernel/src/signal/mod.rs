//! Signals (signal(7)).
//!
//! A signal is *pending* for a thread or for the process until a thread that does not block it takes it, on its way back
//! to the application. Signals that would do nothing are dropped when they are sent, so [`pending_here`] says exactly
//! whether a wait has to end.

mod action;
mod calls;
mod deliver;
mod frame;
mod info;
mod send;
mod set;
#[cfg(test)]
mod tests;

pub(crate) use action::{Disposition, ProcessSignals, ThreadSignals};
pub(crate) use calls::SYSCALLS;
pub(crate) use deliver::{Interrupted, deliver, trapped};
pub(crate) use frame::min_stack;
pub(crate) use info::Info;
pub(crate) use send::{
    attention, drain_external, pending_here, post_external, send_to_process, send_to_thread, take_for_fd, watch,
};
pub(crate) use set::SigSet;
