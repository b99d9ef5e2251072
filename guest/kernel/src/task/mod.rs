//! Processes and threads. (First form: being written.)

use alloc::sync::Arc;

use crate::wait::Parker;

/// The current thread's place to sleep.
pub(crate) fn current_parker() -> Arc<Parker> {
    Arc::new(Parker::new())
}

/// Whether a signal waits that the current thread does not block.
pub(crate) fn signal_pending() -> bool {
    false
}

/// The calls of processes, threads, memory, signals and time.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];
