//! Processes and threads.
//!
//! A [`Process`] owns what its threads share; a [`Thread`] is what the machine runs. The machine keeps one word for each
//! thread, its token: the address of its [`Thread`], which lives until the thread has ended.

mod calls;
mod clone;
mod credentials;
mod current;
mod exec;
mod exit;
mod futex;
mod ids;
mod process;
mod sched;
mod system;
#[cfg(test)]
pub(crate) mod tests;
mod thread;

pub(crate) use calls::SYSCALLS;
pub(crate) use credentials::Credentials;
pub(crate) use current::{adopt, current, try_current};
pub(crate) use exec::begin;
pub(crate) use exit::{exit_process, exit_thread};
pub(crate) use process::{Process, Program, Resource};
pub(crate) use thread::Thread;

use alloc::sync::Arc;

use crate::wait::Parker;

/// The current thread's place to sleep.
pub(crate) fn current_parker() -> Arc<Parker> {
    current().parker.clone()
}

/// Whether a signal waits that the current thread neither blocks nor ignores. Cheap.
#[inline]
pub(crate) fn signal_pending() -> bool {
    crate::signal::pending_here()
}

/// Sends a signal to the current thread, as the kernel does for SIGPIPE.
pub(crate) fn send_signal(signal: u32) {
    crate::signal::send_to_thread(&current().arc(), crate::signal::Info::kernel(signal));
}
