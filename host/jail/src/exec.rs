//! execve(2) and execveat(2) with vectors that were built beforehand. Unsafe because no safe library offers them without
//! allocating in between, which a freshly cloned process must not do.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// An argument vector and an environment in the form that the kernel reads.
#[derive(Debug)]
pub struct ExecArgs {
    /// Own the strings that the pointers lead to.
    _strings: Vec<CString>,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
}

impl ExecArgs {
    /// Builds both vectors.
    pub fn new(args: Vec<CString>, env: Vec<CString>) -> Self {
        let pointers = |strings: &[CString]| {
            strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect::<Vec<*const c_char>>()
        };
        let (argv, envp) = (pointers(&args), pointers(&env));
        // Moving a CString moves its handle only, never the bytes that the pointers lead to.
        let mut strings = args;
        strings.extend(env);
        Self { _strings: strings, argv, envp }
    }

    /// Replaces this process by the program at `path`; returns only if that failed.
    pub fn exec(&self, path: &CStr) -> io::Error {
        // SAFETY: all three are terminated and live until the call returns or the process image is replaced.
        unsafe { libc::syscall(libc::SYS_execve, path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
        io::Error::last_os_error()
    }

    /// Replaces this process by the program behind `program`; returns only if that failed.
    pub fn exec_fd(&self, program: BorrowedFd<'_>) -> io::Error {
        // SAFETY: as in `exec`; the empty path is a constant.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                program.as_raw_fd(),
                c"".as_ptr(),
                self.argv.as_ptr(),
                self.envp.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        io::Error::last_os_error()
    }
}
