//! What the library OS may ask of the machine under it, and the safe types in which it asks.
//!
//! The kernel is written against [`Machine`] alone; `platform-process` (one locked-down host process) and, later,
//! `platform-kvm` (ring 0 of a virtual machine) implement it. A machine in turn calls the kernel through [`Kernel`].
//! Nothing here names a host.
#![no_std]
#![forbid(unsafe_code)]

mod addr;
mod context;
mod machine;

pub use addr::{PAGE_SIZE, UserAddr, UserRange, page_down, page_up};
pub use context::{Registers, Trap, TrapKind, UserContext};
pub use machine::{
    Deadline, IoReady, Kernel, Machine, MapSource, Prot, StartFailure, Stream, ThreadStart, UserFault, WaitOutcome,
};
