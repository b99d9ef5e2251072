//! The table of the calls of processes and threads.

use linux_abi::{Errno, nr};

use crate::syscall::Support::{Full, Partial, Refused};
use crate::syscall::{Call, Row, refuse, row};
use crate::task::{clone, exec, exit_process, exit_thread, futex, ids, sched, system};

const NO_PROCESSES: &str = "one process; the levels container and microvm run it";
const NO_PRIVILEGE: &str = "EPERM, as without the capability";

/// The calls of processes and threads.
pub(crate) const SYSCALLS: &[Row] = &[
    row(nr::CLONE, clone::clone, Partial("threads of the same process only")),
    row(nr::CLONE3, clone::clone3, Partial("threads of the same process only")),
    row(nr::FORK, clone::fork, Refused(NO_PROCESSES)),
    row(nr::VFORK, clone::fork, Refused(NO_PROCESSES)),
    row(nr::EXECVE, exec::execve, Partial("from a process with one thread")),
    row(nr::EXECVEAT, refuse, Refused("execve is offered")),
    row(nr::WAIT4, no_child, Partial("there are no children: ECHILD")),
    row(nr::WAITID, no_child, Partial("there are no children: ECHILD")),
    row(nr::EXIT, exit, Full),
    row(nr::EXIT_GROUP, exit_group, Full),
    row(nr::FUTEX, futex::futex, Partial("without priority inheritance (ENOSYS)")),
    row(nr::SET_TID_ADDRESS, system::set_tid_address, Full),
    row(nr::SET_ROBUST_LIST, system::set_robust_list, Full),
    row(nr::GET_ROBUST_LIST, system::get_robust_list, Full),
    row(nr::RSEQ, refuse, Refused("restartable sequences: ENOSYS, which the C libraries accept")),
    row(nr::MEMBARRIER, sched::membarrier, Partial("MEMBARRIER_CMD_QUERY says that no command is offered")),
    row(nr::GETPID, ids::getpid, Full),
    row(nr::GETTID, ids::gettid, Full),
    row(nr::GETPPID, ids::getppid, Full),
    row(nr::GETPGID, ids::getpgid, Full),
    row(nr::GETPGRP, ids::getpid, Full),
    row(nr::GETSID, ids::getpgid, Full),
    row(nr::SETPGID, ids::setpgid, Full),
    row(nr::SETSID, ids::setsid, Full),
    row(nr::GETUID, ids::getuid, Full),
    row(nr::GETEUID, ids::geteuid, Full),
    row(nr::GETGID, ids::getgid, Full),
    row(nr::GETEGID, ids::getegid, Full),
    row(nr::GETRESUID, ids::getresuid, Full),
    row(nr::GETRESGID, ids::getresgid, Full),
    row(nr::SETUID, ids::setuid, Full),
    row(nr::SETGID, ids::setgid, Full),
    row(nr::SETREUID, ids::setreuid, Full),
    row(nr::SETREGID, ids::setregid, Full),
    row(nr::SETRESUID, ids::setresuid, Full),
    row(nr::SETRESGID, ids::setresgid, Full),
    row(nr::SETFSUID, ids::setfsuid, Full),
    row(nr::SETFSGID, ids::setfsgid, Full),
    row(nr::GETGROUPS, ids::getgroups, Full),
    row(nr::SETGROUPS, ids::setgroups, Full),
    row(nr::CAPGET, ids::capget, Full),
    row(nr::CAPSET, ids::capset, Full),
    row(nr::UNAME, system::uname, Full),
    row(nr::SYSINFO, system::sysinfo, Partial("free memory is an estimate")),
    row(nr::GETRANDOM, system::getrandom, Full),
    row(nr::PRLIMIT64, system::prlimit64, Partial("enforced: NOFILE, STACK, AS")),
    row(nr::GETRLIMIT, system::getrlimit, Full),
    row(nr::SETRLIMIT, system::setrlimit, Partial("as prlimit64")),
    row(nr::GETRUSAGE, system::getrusage, Partial("CPU time, all of it as user time")),
    row(nr::PRCTL, system::prctl, Partial("names and what has an effect here")),
    row(nr::ARCH_PRCTL, system::arch_prctl, Partial("FS only: GS is the kernel's")),
    row(nr::SCHED_YIELD, sched::sched_yield, Full),
    row(nr::SCHED_GETAFFINITY, sched::sched_getaffinity, Full),
    row(nr::SCHED_SETAFFINITY, sched::sched_setaffinity, Partial("checked, then left to the host")),
    row(nr::SCHED_SETSCHEDULER, sched::sched_setscheduler, Partial("ordinary policies only")),
    row(nr::SCHED_GETSCHEDULER, sched::sched_getscheduler, Full),
    row(nr::SCHED_SETPARAM, sched::sched_setparam, Full),
    row(nr::SCHED_GETPARAM, sched::sched_getparam, Full),
    row(nr::SCHED_GET_PRIORITY_MAX, sched::priority_max, Full),
    row(nr::SCHED_GET_PRIORITY_MIN, sched::priority_min, Full),
    row(nr::SCHED_RR_GET_INTERVAL, sched::rr_interval, Full),
    row(nr::GETPRIORITY, sched::getpriority, Partial("always the normal priority")),
    row(nr::SETPRIORITY, sched::setpriority, Partial("accepted without effect")),
    row(nr::GETCPU, sched::getcpu, Partial("always CPU 0")),
    row(nr::PERSONALITY, personality, Partial("the Linux personality only")),
    row(nr::IOPRIO_GET, zero, Partial("always none")),
    row(nr::IOPRIO_SET, zero, Partial("accepted without effect")),
    row(nr::PTRACE, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::SYSLOG, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::UNSHARE, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::SETNS, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::REBOOT, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::SETHOSTNAME, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::SETDOMAINNAME, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::IOPL, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::IOPERM, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::INIT_MODULE, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::FINIT_MODULE, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::DELETE_MODULE, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::KEXEC_LOAD, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::BPF, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::PERF_EVENT_OPEN, not_permitted, Refused(NO_PRIVILEGE)),
    row(nr::SECCOMP, refuse, Refused("the instance has its own filter around it")),
    row(nr::PIDFD_OPEN, refuse, Refused("one process")),
    row(nr::PIDFD_GETFD, refuse, Refused("one process")),
    row(nr::KCMP, refuse, Refused("one process")),
    row(nr::IO_SETUP, refuse, Refused("asynchronous I/O: the C libraries fall back to threads")),
    row(nr::IO_URING_SETUP, refuse, Refused("not offered; programs fall back to epoll")),
    row(nr::MODIFY_LDT, refuse, Refused("64-bit programs only")),
    row(nr::SHMGET, refuse, Refused("System V shared memory is not offered yet")),
    row(nr::SEMGET, refuse, Refused("System V semaphores are not offered yet")),
    row(nr::MSGGET, refuse, Refused("System V message queues are not offered yet")),
];

/// exit(2): the thread.
fn exit(call: &mut Call<'_>) -> Result<i64, Errno> {
    exit_thread(call.args[0] as u8)
}

/// exit_group(2).
fn exit_group(call: &mut Call<'_>) -> Result<i64, Errno> {
    exit_process(call.args[0] as u8)
}

fn no_child(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::ECHILD)
}

fn not_permitted(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::EPERM)
}

fn zero(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(0)
}

/// personality(2): `0xffffffff` asks for the current one.
fn personality(call: &mut Call<'_>) -> Result<i64, Errno> {
    if matches!(call.uint(0), 0 | u32::MAX) { Ok(0) } else { Err(Errno::EINVAL) }
}
