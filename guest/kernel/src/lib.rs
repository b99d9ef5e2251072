//! The library OS: the Linux x86-64 system call interface over a [`platform::Machine`].
//!
//! One kernel for every machine: nothing in here names a host. Kernel objects live in the kernel's heap and never hold an
//! address of the application; locks and wait words work across address spaces.
//!
//! Lock order (a thread that holds one may take only those further down):
//!
//! ```text
//! task::Process tables (threads, signal actions, descriptor table, working directory)
//!   mm::Mm (the map of the address space)
//!   vfs: mount tree → directory (parent before child) → inode → open file description offset
//!   epoll instance → its ready list
//!     net::Stack
//!       wait::WaitQueue
//! ```
//!
//! No lock is held across a wait or across a copy from or to the application that could wait (volumes excepted).
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod boot;
mod loader;
mod machine;
mod mem;
mod mm;
mod net;
mod signal;
mod sync;
mod syscall;
mod task;
#[cfg(test)]
mod testing;
mod time;
mod vfs;
mod wait;

pub use boot::start;
pub use loader::parse;
pub use net::parse_packets;
pub use syscall::{Support, table};
pub use vfs::parse_image;
