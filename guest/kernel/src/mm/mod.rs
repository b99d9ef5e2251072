//! The address space of a process: which ranges are mapped, how, and from what.
//!
//! The kernel keeps its own map ([`vma::Map`]) and makes the machine's pages follow it. Text of the image is rewritten
//! before it becomes executable ([`text`]), so that its system calls are jumps.

mod calls;
mod maps;
mod remap;
mod space;
#[cfg(test)]
mod tests;
mod text;
mod vma;

pub(crate) use calls::SYSCALLS;
pub(crate) use space::{Mm, Request, Where, random_u64};
pub(crate) use vma::{Backing, Content};
