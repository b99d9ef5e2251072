//! The default profile of containers: Docker's allow-list (<https://docs.docker.com/engine/security/seccomp/>) for the
//! capabilities that we leave to a container.
//!
//! Differences: the i386 and x32 conventions are refused with `ENOSYS` (Docker admits them), because they double the
//! attack surface for programs that an amd64 image does not hold.

use libc as c;

use super::Program;
use super::check::{Check, Comparison};
use super::tree::{FilterError, Rule, Verdict, compile};

/// The newest call that the profile was written with knowledge of; later ones fail with `ENOSYS`.
const LAST_KNOWN: u32 = 469;

/// The filter of every container.
///
/// # Errors
/// None as long as the table below is sound, which a test proves.
pub fn container_default() -> Result<Program, FilterError> {
    let always = ALLOWED.iter().map(|number| Rule::allow(*number as u32));
    let newer = ALLOWED_NEWER.iter().map(|number| Rule::allow(*number));
    let rules: Vec<_> = always.chain(newer).chain(CONDITIONAL).collect();
    compile(&rules, Verdict::Errno(c::EPERM as u16), LAST_KNOWN)
}

/// The namespace flags of clone(2), which only the engine may use.
const NEW_NAMESPACES: u32 = (c::CLONE_NEWNS
    | c::CLONE_NEWCGROUP
    | c::CLONE_NEWUTS
    | c::CLONE_NEWIPC
    | c::CLONE_NEWUSER
    | c::CLONE_NEWPID
    | c::CLONE_NEWNET) as u32;

const CONDITIONAL: [Rule<'static>; 8] = [
    // Its flags are in memory, where a filter cannot see them; C libraries fall back to clone.
    Rule { number: c::SYS_clone3 as u32, when: &[], verdict: Verdict::Errno(c::ENOSYS as u16) },
    Rule {
        number: c::SYS_clone as u32,
        when: &[Check::low_half(0, Comparison::MaskedEqual(NEW_NAMESPACES as u64), 0)],
        verdict: Verdict::Allow,
    },
    // Virtual machine sockets know no network namespace.
    Rule {
        number: c::SYS_socket as u32,
        when: &[Check::low_half(0, Comparison::NotEqual, c::AF_VSOCK as u64)],
        verdict: Verdict::Allow,
    },
    // PER_LINUX, PER_LINUX32, UNAME26 with either, and the query.
    personality(&[Check::low_half(0, Comparison::Equal, 0)]),
    personality(&[Check::low_half(0, Comparison::Equal, 0x0008)]),
    personality(&[Check::low_half(0, Comparison::Equal, 0x2_0000)]),
    personality(&[Check::low_half(0, Comparison::Equal, 0x2_0008)]),
    personality(&[Check::low_half(0, Comparison::Equal, 0xffff_ffff)]),
];

const fn personality(when: &'static [Check]) -> Rule<'static> {
    Rule { number: c::SYS_personality as u32, when, verdict: Verdict::Allow }
}

/// Calls newer than the C library's list (of one target at least): io_pgetevents, cachestat, map_shadow_stack, futex_wake, futex_wait, futex_requeue, mseal, setxattrat,
/// getxattrat, listxattrat, removexattrat, file_getattr, file_setattr.
const ALLOWED_NEWER: &[u32] = &[333, 451, 453, 454, 455, 456, 462, 463, 464, 465, 466, 468, 469];

/// Allowed whatever the arguments.
#[rustfmt::skip]
const ALLOWED: &[c::c_long] = &[
    c::SYS_accept, c::SYS_accept4, c::SYS_access, c::SYS_adjtimex, c::SYS_alarm, c::SYS_arch_prctl, c::SYS_bind,
    c::SYS_brk, c::SYS_capget, c::SYS_capset, c::SYS_chdir, c::SYS_chmod, c::SYS_chown, c::SYS_chroot,
    c::SYS_clock_adjtime, c::SYS_clock_getres, c::SYS_clock_gettime, c::SYS_clock_nanosleep, c::SYS_close,
    c::SYS_close_range, c::SYS_connect, c::SYS_copy_file_range, c::SYS_creat, c::SYS_dup, c::SYS_dup2, c::SYS_dup3,
    c::SYS_epoll_create, c::SYS_epoll_create1, c::SYS_epoll_ctl, c::SYS_epoll_ctl_old, c::SYS_epoll_pwait,
    c::SYS_epoll_pwait2, c::SYS_epoll_wait, c::SYS_epoll_wait_old, c::SYS_eventfd, c::SYS_eventfd2, c::SYS_execve,
    c::SYS_execveat, c::SYS_exit, c::SYS_exit_group, c::SYS_faccessat, c::SYS_faccessat2, c::SYS_fadvise64,
    c::SYS_fallocate, c::SYS_fanotify_mark, c::SYS_fchdir, c::SYS_fchmod, c::SYS_fchmodat, c::SYS_fchmodat2,
    c::SYS_fchown, c::SYS_fchownat, c::SYS_fcntl, c::SYS_fdatasync, c::SYS_fgetxattr, c::SYS_flistxattr, c::SYS_flock,
    c::SYS_fork, c::SYS_fremovexattr, c::SYS_fsetxattr, c::SYS_fstat, c::SYS_fstatfs, c::SYS_fsync, c::SYS_ftruncate,
    c::SYS_futex, c::SYS_futex_waitv, c::SYS_futimesat, c::SYS_get_robust_list, c::SYS_get_thread_area, c::SYS_getcpu,
    c::SYS_getcwd, c::SYS_getdents, c::SYS_getdents64, c::SYS_getegid, c::SYS_geteuid, c::SYS_getgid,
    c::SYS_getgroups, c::SYS_getitimer, c::SYS_getpeername, c::SYS_getpgid, c::SYS_getpgrp, c::SYS_getpid,
    c::SYS_getppid, c::SYS_getpriority, c::SYS_getrandom, c::SYS_getresgid, c::SYS_getresuid, c::SYS_getrlimit,
    c::SYS_getrusage, c::SYS_getsid, c::SYS_getsockname, c::SYS_getsockopt, c::SYS_gettid, c::SYS_gettimeofday,
    c::SYS_getuid, c::SYS_getxattr, c::SYS_inotify_add_watch, c::SYS_inotify_init, c::SYS_inotify_init1,
    c::SYS_inotify_rm_watch, c::SYS_io_cancel, c::SYS_io_destroy, c::SYS_io_getevents,
    c::SYS_io_setup, c::SYS_io_submit, c::SYS_ioctl, c::SYS_ioprio_get, c::SYS_ioprio_set, c::SYS_kill,
    c::SYS_landlock_add_rule, c::SYS_landlock_create_ruleset, c::SYS_landlock_restrict_self, c::SYS_lchown,
    c::SYS_lgetxattr, c::SYS_link, c::SYS_linkat, c::SYS_listen, c::SYS_listxattr, c::SYS_llistxattr,
    c::SYS_lremovexattr, c::SYS_lseek, c::SYS_lsetxattr, c::SYS_lstat, c::SYS_madvise, c::SYS_membarrier,
    c::SYS_memfd_create, c::SYS_memfd_secret, c::SYS_mincore, c::SYS_mkdir, c::SYS_mkdirat, c::SYS_mknod,
    c::SYS_mknodat, c::SYS_mlock, c::SYS_mlock2, c::SYS_mlockall, c::SYS_mmap, c::SYS_modify_ldt, c::SYS_mprotect,
    c::SYS_mq_getsetattr, c::SYS_mq_notify, c::SYS_mq_open, c::SYS_mq_timedreceive, c::SYS_mq_timedsend,
    c::SYS_mq_unlink, c::SYS_mremap, c::SYS_msgctl, c::SYS_msgget, c::SYS_msgrcv, c::SYS_msgsnd, c::SYS_msync,
    c::SYS_munlock, c::SYS_munlockall, c::SYS_munmap, c::SYS_name_to_handle_at, c::SYS_nanosleep, c::SYS_newfstatat,
    c::SYS_open, c::SYS_openat, c::SYS_openat2, c::SYS_pause, c::SYS_pidfd_open,
    c::SYS_pidfd_send_signal, c::SYS_pipe, c::SYS_pipe2, c::SYS_pkey_alloc, c::SYS_pkey_free, c::SYS_pkey_mprotect,
    c::SYS_poll, c::SYS_ppoll, c::SYS_prctl, c::SYS_pread64, c::SYS_preadv, c::SYS_preadv2, c::SYS_prlimit64,
    c::SYS_process_mrelease, c::SYS_process_vm_readv, c::SYS_process_vm_writev, c::SYS_pselect6, c::SYS_ptrace,
    c::SYS_pwrite64, c::SYS_pwritev, c::SYS_pwritev2, c::SYS_read, c::SYS_readahead, c::SYS_readlink,
    c::SYS_readlinkat, c::SYS_readv, c::SYS_recvfrom, c::SYS_recvmmsg, c::SYS_recvmsg, c::SYS_remap_file_pages,
    c::SYS_removexattr, c::SYS_rename, c::SYS_renameat, c::SYS_renameat2, c::SYS_restart_syscall, c::SYS_rmdir,
    c::SYS_rseq, c::SYS_rt_sigaction, c::SYS_rt_sigpending, c::SYS_rt_sigprocmask, c::SYS_rt_sigqueueinfo,
    c::SYS_rt_sigreturn, c::SYS_rt_sigsuspend, c::SYS_rt_sigtimedwait, c::SYS_rt_tgsigqueueinfo,
    c::SYS_sched_get_priority_max, c::SYS_sched_get_priority_min, c::SYS_sched_getaffinity, c::SYS_sched_getattr,
    c::SYS_sched_getparam, c::SYS_sched_getscheduler, c::SYS_sched_rr_get_interval, c::SYS_sched_setaffinity,
    c::SYS_sched_setattr, c::SYS_sched_setparam, c::SYS_sched_setscheduler, c::SYS_sched_yield, c::SYS_seccomp,
    c::SYS_select, c::SYS_semctl, c::SYS_semget, c::SYS_semop, c::SYS_semtimedop, c::SYS_sendfile, c::SYS_sendmmsg,
    c::SYS_sendmsg, c::SYS_sendto, c::SYS_set_robust_list, c::SYS_set_thread_area, c::SYS_set_tid_address,
    c::SYS_setfsgid, c::SYS_setfsuid, c::SYS_setgid, c::SYS_setgroups, c::SYS_setitimer, c::SYS_setpgid,
    c::SYS_setpriority, c::SYS_setregid, c::SYS_setresgid, c::SYS_setresuid, c::SYS_setreuid, c::SYS_setrlimit,
    c::SYS_setsid, c::SYS_setsockopt, c::SYS_setuid, c::SYS_setxattr, c::SYS_shmat, c::SYS_shmctl, c::SYS_shmdt,
    c::SYS_shmget, c::SYS_shutdown, c::SYS_sigaltstack, c::SYS_signalfd, c::SYS_signalfd4, c::SYS_socketpair,
    c::SYS_splice, c::SYS_stat, c::SYS_statfs, c::SYS_statx, c::SYS_symlink, c::SYS_symlinkat, c::SYS_sync,
    c::SYS_sync_file_range, c::SYS_syncfs, c::SYS_sysinfo, c::SYS_tee, c::SYS_tgkill, c::SYS_time,
    c::SYS_timer_create, c::SYS_timer_delete, c::SYS_timer_getoverrun, c::SYS_timer_gettime, c::SYS_timer_settime,
    c::SYS_timerfd_create, c::SYS_timerfd_gettime, c::SYS_timerfd_settime, c::SYS_times, c::SYS_tkill,
    c::SYS_truncate, c::SYS_umask, c::SYS_uname, c::SYS_unlink, c::SYS_unlinkat, c::SYS_utime, c::SYS_utimensat,
    c::SYS_utimes, c::SYS_vfork, c::SYS_vmsplice, c::SYS_wait4, c::SYS_waitid, c::SYS_write, c::SYS_writev,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_sound_and_short() {
        let program = container_default().unwrap();
        // The kernel runs the filter for each number at installation, and for each call with an argument check.
        assert!(program.len() < 250, "{} instructions", program.len());
    }
}
