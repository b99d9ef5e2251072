//! The process machine: kernel and application share one host process that runs in an empty container behind a seccomp
//! filter. The design and its reasons are in `docs/decisions/unikernel-process-machine.md`.
//!
//! A program joins a kernel and this machine by [`program!`]. Reading order: [`filter`] (the boundary), `boot`, `entry`
//! (into the kernel and out), `signal`, then the rest.
#![cfg_attr(not(test), no_std)]
// A hosted build serves the unit tests; it lacks the start, and with it whatever only the start leads to.
#![cfg_attr(not(target_os = "none"), allow(dead_code))]

pub mod filter;

mod block;
mod boot;
mod entry;
mod fd;
mod heap;
mod host;
mod io;
mod late;
mod layout;
mod machine;
mod memory;
mod panic;
mod pending;
mod rewrite;
mod signal;
#[cfg(target_os = "none")] // a hosted build (unit tests) has a start of its own
mod start;
mod state;
mod status;
mod string;
mod thread;
mod time;
mod upcall;
mod user;
mod vector;
mod volume;

pub use heap::SharedHeap;
pub use panic::panicked;

/// Makes a freestanding program of a kernel: `program!(start)`, where `start` is a
/// `fn(&'static dyn platform::Machine) -> &'static dyn platform::Kernel`.
#[macro_export]
macro_rules! program {
    ($start:path) => {
        #[global_allocator]
        static HEAP: $crate::SharedHeap = $crate::SharedHeap;

        #[panic_handler]
        fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::panicked(info)
        }

        #[unsafe(no_mangle)]
        extern "Rust" fn coracle_kernel_start(
            machine: &'static dyn ::platform::Machine,
        ) -> &'static dyn ::platform::Kernel {
            $start(machine)
        }
    };
}
