//! What a process does to itself between clone3(2) and execve(2) that safe libraries do not offer: ending without running
//! any destructor, signal dispositions, and descriptors at fixed numbers.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Ends this process at once; nothing of the parent's state is flushed or dropped a second time.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(code) }
}

/// What a caller's caller may have had ignored, for example nohup(1) or a shell that started it in the background.
const OFTEN_IGNORED: [libc::c_int; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE, libc::SIGTERM, libc::SIGCHLD];

/// Gives the program the signal state that it expects: nothing blocked, and the default action where something is likely
/// to be ignored.
///
/// Both would outlive execve(2): the Rust runtime ignores `SIGPIPE`, a supervisor blocks what it reads from a signalfd.
pub fn reset_signals() -> io::Result<()> {
    for signal in OFTEN_IGNORED {
        // SAFETY: the default action runs no code of this program; the call only changes this process.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: an all-zero set is the empty set of the C library and of the kernel; the call only changes this process.
    let failed = unsafe {
        let empty: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut()) != 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes `target` another name of `from`, which the program inherits. Whatever had that number is closed.
///
/// To be called only in a process that is about to execute a program: an owner of `target` would be deceived.
pub fn place(from: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: dup3 reads no memory; the caller's contract is that nobody uses the old meaning of `target` any more.
    let result = unsafe {
        if from.as_raw_fd() == target {
            libc::fcntl(target, libc::F_SETFD, 0)
        } else {
            libc::dup3(from.as_raw_fd(), target, 0)
        }
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether a program that this process executes inherits a descriptor with this number.
pub fn is_inherited(number: RawFd) -> bool {
    // SAFETY: fcntl without an argument reads no memory and changes nothing.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// Copies a descriptor to the lowest free number from `minimum` up, closed on execve(2).
pub(crate) fn copy_above(from: BorrowedFd<'_>, minimum: RawFd) -> io::Result<RawFd> {
    // SAFETY: fcntl with an integer argument reads no memory.
    let fd = unsafe { libc::fcntl(from.as_raw_fd(), libc::F_DUPFD_CLOEXEC, minimum) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd) }
}

/// The descriptor with this number, for as long as the process lives.
pub(crate) fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: used only for descriptors that `copy_above` has made in this process and that nobody closes before execve.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Lets execve(2) close every descriptor from `first` to `last` (close_range(2) with `CLOSE_RANGE_CLOEXEC`).
pub fn close_on_exec(first: RawFd, last: RawFd) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: only descriptor flags change; no memory is read.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first as u32, last as u32, CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes a descriptor that its owner will not touch again in this process.
pub(crate) fn close(fd: RawFd) {
    // SAFETY: close reads no memory; the callers are about to execute a program and drop nothing.
    unsafe { libc::close(fd) };
}

/// Moves this process into new namespaces.
pub fn unshare(flags: rustix::thread::UnshareFlags) -> io::Result<()> {
    // SAFETY: no caller unshares the descriptor table (`CLONE_FILES`), which is what could break descriptor ownership.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Sends a signal by its number, real-time ones included (pidfd_send_signal(2)).
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: a null siginfo is what kill(2) sends; no other memory is read.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
