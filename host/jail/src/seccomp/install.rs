//! seccomp(2), which no safe library of ours offers.
#![allow(unsafe_code)]

use std::io;

/// One classic BPF instruction, `struct sock_filter` of linux/filter.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

const _: () = assert!(size_of::<Instruction>() == 8);

/// `struct sock_fprog` of linux/filter.h.
#[repr(C)]
struct FilterProgram {
    length: u16,
    instructions: *const Instruction,
}

/// A finished filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Vec<Instruction>);

impl Program {
    pub(crate) fn new(instructions: Vec<Instruction>) -> Self {
        Self(instructions)
    }

    /// The number of instructions; the kernel takes 4096 at most.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no instruction at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// Puts the filter in force for this thread and all that it becomes or starts.
    ///
    /// Needs `no_new_privs` or `CAP_SYS_ADMIN`. Makes one system call and allocates nothing.
    pub fn install(&self) -> io::Result<()> {
        let program = FilterProgram { length: self.0.len() as u16, instructions: self.0.as_ptr() };
        // SAFETY: the structure and the instructions behind it live until the call returns; the kernel copies them.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
