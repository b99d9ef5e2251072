//! seccomp(2), which no safe library of ours offers.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// How a filter is installed, `SECCOMP_FILTER_FLAG_*` of seccomp(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterFlags(u32);

bitflags::bitflags! {
    impl FilterFlags: u32 {
        /// All threads of the process get the filter.
        const TSYNC = libc::SECCOMP_FILTER_FLAG_TSYNC as u32;
        /// All verdicts but "allow" leave a line in the audit log.
        const LOG = libc::SECCOMP_FILTER_FLAG_LOG as u32;
        /// The filter does not switch on the mitigation of speculative stores.
        const SPEC_ALLOW = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32;
        /// Once a listener has read a notification, only a deadly signal interrupts the call.
        const WAIT_KILLABLE_RECV = 1 << 5;
    }
}

const NEW_LISTENER: u32 = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;
/// Lets the result be a descriptor where `TSYNC` alone would make it a thread's id.
const TSYNC_ESRCH: u32 = libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH as u32;

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

    pub(crate) fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// Puts the filter in force for this thread and all that it becomes or starts.
    ///
    /// Needs `no_new_privs` or `CAP_SYS_ADMIN`. Makes one system call and allocates nothing.
    pub fn install(&self) -> io::Result<()> {
        self.set_mode_filter(FilterFlags::empty()).map(|_| ())
    }

    /// [`Program::install`] with flags.
    pub fn install_with(&self, flags: FilterFlags) -> io::Result<()> {
        self.set_mode_filter(flags).map(|_| ())
    }

    /// [`Program::install_with`], and returns the listener that answers notifications (seccomp_unotify(2)).
    ///
    /// From now on a call of this thread may wait for an answer.
    pub fn install_with_listener(&self, flags: FilterFlags) -> io::Result<OwnedFd> {
        let mut kernel = flags.bits() | NEW_LISTENER;
        if flags.contains(FilterFlags::TSYNC) {
            kernel |= TSYNC_ESRCH;
        }
        let listener = self.set_mode_filter(FilterFlags::from_bits_retain(kernel))?;
        // SAFETY: with this flag the result is a new descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(listener) })
    }

    fn set_mode_filter(&self, flags: FilterFlags) -> io::Result<i32> {
        let program = FilterProgram { length: self.0.len() as u16, instructions: self.0.as_ptr() };
        // SAFETY: the structure and the instructions behind it live until the call returns; the kernel copies them.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags.bits(), &raw const program)
        };
        match result {
            0.. => Ok(result as i32),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
