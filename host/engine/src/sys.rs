//! The few system calls that rustix does not wrap: fork(2), and signals as a descriptor (signalfd(2)).
#![allow(unsafe_code)] // fork and raw descriptors from libc have no safe form.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The process that forked, with its child's id.
    Parent(i32),
    /// The new process.
    Child,
}

/// Makes a child process that goes on here with a copy of everything.
///
/// Commands of the engine have one thread when they start an instance, so the child may do whatever its parent could.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: the process has one thread (see above), so no lock can be left held by a thread that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Makes a user namespace and one for mounts for this process, which must have one thread.
pub(crate) fn unshare_user_and_mounts() -> io::Result<()> {
    // SAFETY: unshare(2) touches no memory; open descriptors stay shared with nobody.
    match unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Signals that are read from a descriptor instead of interrupting the process.
pub(crate) struct SignalFd(OwnedFd);

impl SignalFd {
    /// Blocks the signals for this thread and its future children, and opens a descriptor for them.
    pub(crate) fn new(signals: &[i32]) -> io::Result<Self> {
        let set = set_of(signals);
        // SAFETY: `set` is initialised; the old mask is not asked for.
        if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `set` is initialised; a result that is not negative is a new descriptor which nobody else owns.
        let fd = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as said above.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal that came, if one did.
    pub(crate) fn next(&self) -> Option<i32> {
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.0, &mut info) {
            Ok(n) if n == info.len() => Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]])),
            _ => None,
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Unblocks every signal: what an instance's program must start with.
pub(crate) fn unblock_all() {
    let set = set_of(&[]);
    // SAFETY: `set` is initialised; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut()) };
}

/// Lets a signal be ignored.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: SIG_IGN installs no handler.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// A set of signals.
fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset initialises the set; sigaddset only changes it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Ends the process at once: no destructors, no flushing of buffers that were copied by a fork.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) does not return and touches nothing of this process.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor but the standard streams and one: what the command had open, and what it inherited from its
/// caller, would otherwise stay open as long as the instance lives.
///
/// For a new process only: the values of its parent that own descriptors are copies that it never touches.
pub(crate) fn close_all_but(keep: &OwnedFd) {
    use std::os::fd::AsRawFd;
    let keep = keep.as_raw_fd().unsigned_abs();
    for (first, last) in [(3, keep - 1), (keep + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: close_range(2) touches descriptors only, and nothing in this process uses these (see above). Kernels
            // before 5.9 lack it: then they stay open.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
}

/// Points the standard streams at `/dev/null`, so that a process that stays does not hold its caller's pipes open.
pub(crate) fn release_streams() {
    use rustix::fs::{Mode, OFlags, open};
    if let Ok(null) = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}
