//! From the entry code into the kernel: each unsafe entry calls a safe function at once.
#![allow(unsafe_code)] // the context is a place on the kernel stack that assembly filled

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use platform::{Kernel, UserContext};

use crate::late::Late;
use crate::{block, host, thread};

static KERNEL: Late<&'static dyn Kernel> = Late::new();
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Signals that came before the kernel was there, one bit each.
static EARLY: AtomicU64 = AtomicU64::new(0);

/// Makes the kernel known.
///
/// # Safety
/// Called once, before the application runs.
pub(crate) unsafe fn install(kernel: &'static dyn Kernel) {
    // SAFETY: by the contract.
    unsafe { KERNEL.set(kernel) };
    INSTALLED.store(true, Ordering::SeqCst);
    let early = EARLY.swap(0, Ordering::SeqCst);
    (0..u64::BITS).filter(|n| early & (1 << n) != 0).for_each(|n| kernel.post_signal(n));
}

fn kernel() -> &'static dyn Kernel {
    // SAFETY: every path here starts in the application, which `install` precedes; signals are posted behind a check.
    unsafe { *KERNEL.get() }
}

/// A system call.
///
/// # Safety
/// Called by the entry code with the thread's context.
pub(crate) unsafe extern "C" fn on_syscall(context: *mut UserContext) {
    // SAFETY: the entry code filled the context, and nobody else refers to it while the thread is in the kernel.
    kernel().syscall(unsafe { &mut *context });
}

/// The thread was interrupted in the application, or on its way there.
///
/// # Safety
/// As [`on_syscall`].
pub(crate) unsafe extern "C" fn on_interrupt(context: *mut UserContext) {
    // SAFETY: as above.
    kernel().interrupt(unsafe { &mut *context });
}

/// The thread caused an exception; the signal handler left it in the block.
///
/// # Safety
/// As [`on_syscall`].
pub(crate) unsafe extern "C" fn on_trap(context: *mut UserContext) {
    // SAFETY: GS is the thread's block; the handler is not running.
    let trap = unsafe { (*block::current()).trap.take() };
    match trap {
        // SAFETY: as above.
        Some(trap) => kernel().trap(unsafe { &mut *context }, &trap),
        None => host::write_raw(2, b"coracle: an exception without a cause\n"),
    }
}

/// The kernel changed the FS base of the context.
///
/// # Safety
/// Called by the way out.
pub(crate) unsafe extern "C" fn on_fs_base(base: u64) {
    thread::set_fs_base(base);
}

/// First Rust code of a new thread.
///
/// # Safety
/// Called on the thread's own, empty kernel stack.
pub(crate) unsafe extern "C" fn on_thread_start(context: *mut UserContext) {
    thread::enter(block::Slot::around(context as u64));
}

/// A signal from outside.
pub(crate) fn post_signal(signal: u32) {
    if INSTALLED.load(Ordering::SeqCst) {
        kernel().post_signal(signal);
    } else {
        EARLY.fetch_or(1 << (signal % u64::BITS), Ordering::SeqCst);
    }
}
