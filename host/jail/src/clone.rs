//! clone3(2). Unsafe because no safe library offers it: a child that shares locks with threads it does not have could
//! deadlock or see torn state, which is why the safe entry checks that there is one thread only.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The namespaces that a child gets for itself, as the `CLONE_NEW*` flags of namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces(u64);

/// Whose child a new process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// The caller's.
    Child,
    /// The caller's parent's (`CLONE_PARENT`).
    Sibling,
}

impl Namespaces {
    /// No new namespace.
    pub const NONE: Self = Self(0);
    /// mount, pid, network, ipc and uts: everything but cgroup (which has to be made once the process is in its cgroup)
    /// and user.
    pub const ISOLATED: Self = Self(
        (libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) as u64,
    );
    /// A user namespace alone.
    pub const USER: Self = Self(libc::CLONE_NEWUSER as u64);

    /// Those of `flags`, which may hold only `CLONE_NEW*` flags that clone3(2) takes (all but the cgroup namespace are
    /// useful there: see [`ISOLATED`](Self::ISOLATED)).
    pub const fn from_flags(flags: u64) -> Self {
        Self(flags & NEW_NAMESPACES)
    }
}

const NEW_NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWTIME) as u64;

/// Which of the two processes the caller is.
#[derive(Debug)]
pub enum Cloned {
    /// The parent, with what it needs to follow the child.
    Parent {
        /// The child's process id, seen from here.
        pid: i32,
        /// A descriptor of the child; readable when it has ended (pidfd_open(2)).
        pidfd: OwnedFd,
    },
    /// The child.
    Child,
}

/// Why no process was made.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    /// A copy of one thread of several would inherit locks that nobody releases.
    #[error("a process with {0} threads cannot start a container; start it from a single-threaded supervisor")]
    Threads(u64),
    /// clone3(2) failed.
    #[error("cannot create a process in new namespaces (clone3)")]
    Clone(#[source] io::Error),
    /// The number of threads cannot be told.
    #[error("cannot read /proc/self/task; is /proc mounted?")]
    CountThreads(#[source] io::Error),
}

/// `struct clone_args` of linux/sched.h, version 2 (Linux 5.7).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const _: () = assert!(size_of::<CloneArgs>() == 88);

/// Copies this process into new namespaces and, if given, into a version 2 cgroup (`CLONE_INTO_CGROUP`).
///
/// The child returns from this function, too. The calling process must have one thread only; then the child is a
/// complete copy and may do whatever safe code may do.
pub fn clone_process(namespaces: Namespaces, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned, CloneError> {
    check_threads()?;
    // SAFETY: the only thread is the caller, so the copy has every thread that can hold a lock or be inside the allocator.
    unsafe { clone_related(namespaces, cgroup, Relation::Child) }.map_err(CloneError::Clone)
}

/// As [`clone_process`], but the new process is a child of the caller's parent, who gets its exit status.
pub fn clone_sibling(namespaces: Namespaces) -> Result<Cloned, CloneError> {
    check_threads()?;
    // SAFETY: as in `clone_process`.
    unsafe { clone_related(namespaces, None, Relation::Sibling) }.map_err(CloneError::Clone)
}

fn check_threads() -> Result<(), CloneError> {
    // The directory has one link for itself, one for its parent and one for each thread (proc_pid_task(5)).
    let task = rustix::fs::stat("/proc/self/task").map_err(|e| CloneError::CountThreads(e.into()))?;
    let threads = task.st_nlink.saturating_sub(2);
    if threads > 1 {
        return Err(CloneError::Threads(threads));
    }
    Ok(())
}

/// [`clone_process`] without the check.
///
/// # Safety
/// If the process has several threads, the child may only make system calls and use memory that it owns: it must not
/// allocate, free, print or take a lock before it executes another program or exits.
pub unsafe fn clone_single_threaded(namespaces: Namespaces, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    // SAFETY: the caller's promise is the same.
    unsafe { clone_related(namespaces, cgroup, Relation::Child) }
}

/// # Safety
/// As [`clone_single_threaded`].
unsafe fn clone_related(
    namespaces: Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
    relation: Relation,
) -> io::Result<Cloned> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: i32 = -1;
    let mut args = CloneArgs {
        flags: namespaces.0 | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if relation == Relation::Sibling {
        args.flags |= libc::CLONE_PARENT as u64;
        // It takes the caller's.
        args.exit_signal = 0;
    }
    if let Some(directory) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = directory.as_raw_fd() as u64;
    }
    // SAFETY: the structure has the size that is passed and outlives the call; `pidfd` is a valid place for a descriptor;
    // without CLONE_VM and with a null stack the child continues on its own copy of this stack.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match pid {
        0 => Ok(Cloned::Child),
        1.. => {
            // SAFETY: the kernel has just stored a new descriptor that nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent { pid: pid as i32, pidfd })
        }
        _ => Err(io::Error::last_os_error()),
    }
}
