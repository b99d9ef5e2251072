//! The isolation boundary: which host calls the process may make, as a table and as the seccomp filter made from it.
//!
//! A call is let through if it comes from the gate *and* a row of the table allows it. From the gate anything else kills
//! the process. A `syscall` instruction anywhere else is the application's: it becomes SIGSYS, and the kernel serves it.
//! The application can jump to the gate, so the table is what protects the host, not the instruction pointer.

mod bpf;
mod table;

pub use bpf::{Instruction, Program, TooLong, compile};
pub use table::{Check, Parameters, RULES, Rule, Test, Value, When};
