//! The one machine under this kernel.

use core::sync::atomic::{AtomicBool, Ordering};

use platform::Machine;

use crate::sync::Once;

static MACHINE: Once<&'static dyn Machine> = Once::new();
static TRACE: AtomicBool = AtomicBool::new(false);

/// Tells the kernel its machine. Called once, before anything else.
pub(crate) fn install(machine: &'static dyn Machine) {
    MACHINE.set(machine);
    TRACE.store(machine.boot_info().trace, Ordering::Relaxed);
}

/// The machine.
#[inline]
pub(crate) fn machine() -> &'static dyn Machine {
    *MACHINE.get()
}

/// Whether the user asked for a trace of the system calls.
#[inline]
pub(crate) fn tracing() -> bool {
    TRACE.load(Ordering::Relaxed)
}
