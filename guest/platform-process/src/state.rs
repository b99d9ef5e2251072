//! What the machine found at boot.
#![allow(unsafe_code)] // read on hot paths, set once

use boot_info::{BootInfo, Sites};

use crate::late::Late;
use crate::time::Clock;
use crate::vector::VectorLayout;

/// Everything that does not change after boot.
pub(crate) struct State {
    /// The host's words.
    pub(crate) info: BootInfo<'static>,
    /// The image's EROFS file.
    pub(crate) image: &'static [u8],
    /// The table of system call instructions; empty: none was given.
    pub(crate) table: Sites<'static>,
    /// Base of the thread slots.
    pub(crate) stacks: u64,
    /// The instance's limit on threads, at most [`crate::thread::MAX_THREADS`].
    pub(crate) max_threads: usize,
    /// The process id as tgkill(2) wants it.
    pub(crate) process: u32,
    /// The eventfd of `kick`.
    pub(crate) kick: u32,
    /// The processor's instructions for segment bases may be used (AT_HWCAP2).
    pub(crate) fsgsbase: bool,
    /// The process's user and group on the host.
    pub(crate) user: (u32, u32),
    /// The address of the host's vDSO.
    pub(crate) vdso: Option<u64>,
    /// How to read clocks.
    pub(crate) clock: Clock,
    /// The vector state of signal frames.
    pub(crate) vector: VectorLayout,
}

static STATE: Late<State> = Late::new();

/// Publishes the state.
///
/// # Safety
/// Called once, at boot.
pub(crate) unsafe fn install(value: State) {
    // SAFETY: by the contract.
    unsafe { STATE.set(value) };
}

/// The state.
#[inline]
pub(crate) fn state() -> &'static State {
    // SAFETY: boot installs it before it starts a thread, a signal handler or the kernel.
    unsafe { STATE.get() }
}
