//! Signals and children.
//!
//! Unsafe: signal masks, sigwaitinfo(2) and waitpid(2) for any child have no safe form in the standard library.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

/// All signals, of which the kernel leaves out SIGKILL and SIGSTOP.
fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigfillset initialises the set that it is given.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Keeps every signal until [`wait`] takes it.
pub(crate) fn block() {
    let set = all();
    // SAFETY: `set` is initialised; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
}

/// The child begins without blocked signals.
pub(crate) fn unblocked(command: &mut Command) -> &mut Command {
    let unblock = || {
        let set = all();
        // SAFETY: as in `block`; sigprocmask(2) may be called between fork and exec (signal-safety(7)).
        unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &set, ptr::null_mut()) };
        Ok(())
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(unblock) }
}

/// The next signal.
pub(crate) fn wait() -> i32 {
    let set = all();
    loop {
        // SAFETY: `set` is initialised; what else is known about the signal is not asked for.
        let signal = unsafe { libc::sigwaitinfo(&set, ptr::null_mut()) };
        if signal > 0 {
            return signal;
        }
    }
}

/// Sends a signal to the program's process group, which job control and terminals address, too.
pub(crate) fn send(program: i32, signal: i32) {
    // The kernel tells us about our own terminal; the program hears of its own itself.
    if matches!(signal, libc::SIGTTIN | libc::SIGTTOU) {
        return;
    }
    // SAFETY: kill(2) touches no memory. A program that has ended is a zombie until it is reaped, so the number is its own.
    unsafe { libc::kill(program, signal) };
}

/// Makes the program's process group that of the terminal, if standard input is one.
pub(crate) fn give_terminal(program: i32) {
    // SAFETY: these take a descriptor and a number; without a terminal they fail.
    unsafe {
        if libc::isatty(0) == 1 {
            libc::tcsetpgrp(0, program);
        }
    }
}

/// A child that has ended, and its exit status as a shell shows it.
pub(crate) fn reap() -> Option<(i32, u8)> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for the status word.
    let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
    if pid <= 0 {
        return None;
    }
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    Some((pid, code as u8))
}
