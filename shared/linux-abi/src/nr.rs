//! System call numbers of x86-64, from the kernel's `arch/x86/entry/syscalls/syscall_64.tbl` (the 64-bit and common rows).

/// The names and numbers, in the order of the numbers.
pub const TABLE: &[(&str, u32)] = &[
    ("read", 0),
    ("write", 1),
    ("open", 2),
    ("close", 3),
    ("stat", 4),
    ("fstat", 5),
    ("lstat", 6),
    ("poll", 7),
    ("lseek", 8),
    ("mmap", 9),
    ("mprotect", 10),
    ("munmap", 11),
    ("brk", 12),
    ("rt_sigaction", 13),
    ("rt_sigprocmask", 14),
    ("rt_sigreturn", 15),
    ("ioctl", 16),
    ("pread64", 17),
    ("pwrite64", 18),
    ("readv", 19),
    ("writev", 20),
    ("access", 21),
    ("pipe", 22),
    ("select", 23),
    ("sched_yield", 24),
    ("mremap", 25),
    ("msync", 26),
    ("mincore", 27),
    ("madvise", 28),
    ("shmget", 29),
    ("shmat", 30),
    ("shmctl", 31),
    ("dup", 32),
    ("dup2", 33),
    ("pause", 34),
    ("nanosleep", 35),
    ("getitimer", 36),
    ("alarm", 37),
    ("setitimer", 38),
    ("getpid", 39),
    ("sendfile", 40),
    ("socket", 41),
    ("connect", 42),
    ("accept", 43),
    ("sendto", 44),
    ("recvfrom", 45),
    ("sendmsg", 46),
    ("recvmsg", 47),
    ("shutdown", 48),
    ("bind", 49),
    ("listen", 50),
    ("getsockname", 51),
    ("getpeername", 52),
    ("socketpair", 53),
    ("setsockopt", 54),
    ("getsockopt", 55),
    ("clone", 56),
    ("fork", 57),
    ("vfork", 58),
    ("execve", 59),
    ("exit", 60),
    ("wait4", 61),
    ("kill", 62),
    ("uname", 63),
    ("semget", 64),
    ("semop", 65),
    ("semctl", 66),
    ("shmdt", 67),
    ("msgget", 68),
    ("msgsnd", 69),
    ("msgrcv", 70),
    ("msgctl", 71),
    ("fcntl", 72),
    ("flock", 73),
    ("fsync", 74),
    ("fdatasync", 75),
    ("truncate", 76),
    ("ftruncate", 77),
    ("getdents", 78),
    ("getcwd", 79),
    ("chdir", 80),
    ("fchdir", 81),
    ("rename", 82),
    ("mkdir", 83),
    ("rmdir", 84),
    ("creat", 85),
    ("link", 86),
    ("unlink", 87),
    ("symlink", 88),
    ("readlink", 89),
    ("chmod", 90),
    ("fchmod", 91),
    ("chown", 92),
    ("fchown", 93),
    ("lchown", 94),
    ("umask", 95),
    ("gettimeofday", 96),
    ("getrlimit", 97),
    ("getrusage", 98),
    ("sysinfo", 99),
    ("times", 100),
    ("ptrace", 101),
    ("getuid", 102),
    ("syslog", 103),
    ("getgid", 104),
    ("setuid", 105),
    ("setgid", 106),
    ("geteuid", 107),
    ("getegid", 108),
    ("setpgid", 109),
    ("getppid", 110),
    ("getpgrp", 111),
    ("setsid", 112),
    ("setreuid", 113),
    ("setregid", 114),
    ("getgroups", 115),
    ("setgroups", 116),
    ("setresuid", 117),
    ("getresuid", 118),
    ("setresgid", 119),
    ("getresgid", 120),
    ("getpgid", 121),
    ("setfsuid", 122),
    ("setfsgid", 123),
    ("getsid", 124),
    ("capget", 125),
    ("capset", 126),
    ("rt_sigpending", 127),
    ("rt_sigtimedwait", 128),
    ("rt_sigqueueinfo", 129),
    ("rt_sigsuspend", 130),
    ("sigaltstack", 131),
    ("utime", 132),
    ("mknod", 133),
    ("uselib", 134),
    ("personality", 135),
    ("ustat", 136),
    ("statfs", 137),
    ("fstatfs", 138),
    ("sysfs", 139),
    ("getpriority", 140),
    ("setpriority", 141),
    ("sched_setparam", 142),
    ("sched_getparam", 143),
    ("sched_setscheduler", 144),
    ("sched_getscheduler", 145),
    ("sched_get_priority_max", 146),
    ("sched_get_priority_min", 147),
    ("sched_rr_get_interval", 148),
    ("mlock", 149),
    ("munlock", 150),
    ("mlockall", 151),
    ("munlockall", 152),
    ("vhangup", 153),
    ("modify_ldt", 154),
    ("pivot_root", 155),
    ("_sysctl", 156),
    ("prctl", 157),
    ("arch_prctl", 158),
    ("adjtimex", 159),
    ("setrlimit", 160),
    ("chroot", 161),
    ("sync", 162),
    ("acct", 163),
    ("settimeofday", 164),
    ("mount", 165),
    ("umount2", 166),
    ("swapon", 167),
    ("swapoff", 168),
    ("reboot", 169),
    ("sethostname", 170),
    ("setdomainname", 171),
    ("iopl", 172),
    ("ioperm", 173),
    ("create_module", 174),
    ("init_module", 175),
    ("delete_module", 176),
    ("get_kernel_syms", 177),
    ("query_module", 178),
    ("quotactl", 179),
    ("nfsservctl", 180),
    ("getpmsg", 181),
    ("putpmsg", 182),
    ("afs_syscall", 183),
    ("tuxcall", 184),
    ("security", 185),
    ("gettid", 186),
    ("readahead", 187),
    ("setxattr", 188),
    ("lsetxattr", 189),
    ("fsetxattr", 190),
    ("getxattr", 191),
    ("lgetxattr", 192),
    ("fgetxattr", 193),
    ("listxattr", 194),
    ("llistxattr", 195),
    ("flistxattr", 196),
    ("removexattr", 197),
    ("lremovexattr", 198),
    ("fremovexattr", 199),
    ("tkill", 200),
    ("time", 201),
    ("futex", 202),
    ("sched_setaffinity", 203),
    ("sched_getaffinity", 204),
    ("set_thread_area", 205),
    ("io_setup", 206),
    ("io_destroy", 207),
    ("io_getevents", 208),
    ("io_submit", 209),
    ("io_cancel", 210),
    ("get_thread_area", 211),
    ("lookup_dcookie", 212),
    ("epoll_create", 213),
    ("epoll_ctl_old", 214),
    ("epoll_wait_old", 215),
    ("remap_file_pages", 216),
    ("getdents64", 217),
    ("set_tid_address", 218),
    ("restart_syscall", 219),
    ("semtimedop", 220),
    ("fadvise64", 221),
    ("timer_create", 222),
    ("timer_settime", 223),
    ("timer_gettime", 224),
    ("timer_getoverrun", 225),
    ("timer_delete", 226),
    ("clock_settime", 227),
    ("clock_gettime", 228),
    ("clock_getres", 229),
    ("clock_nanosleep", 230),
    ("exit_group", 231),
    ("epoll_wait", 232),
    ("epoll_ctl", 233),
    ("tgkill", 234),
    ("utimes", 235),
    ("vserver", 236),
    ("mbind", 237),
    ("set_mempolicy", 238),
    ("get_mempolicy", 239),
    ("mq_open", 240),
    ("mq_unlink", 241),
    ("mq_timedsend", 242),
    ("mq_timedreceive", 243),
    ("mq_notify", 244),
    ("mq_getsetattr", 245),
    ("kexec_load", 246),
    ("waitid", 247),
    ("add_key", 248),
    ("request_key", 249),
    ("keyctl", 250),
    ("ioprio_set", 251),
    ("ioprio_get", 252),
    ("inotify_init", 253),
    ("inotify_add_watch", 254),
    ("inotify_rm_watch", 255),
    ("migrate_pages", 256),
    ("openat", 257),
    ("mkdirat", 258),
    ("mknodat", 259),
    ("fchownat", 260),
    ("futimesat", 261),
    ("newfstatat", 262),
    ("unlinkat", 263),
    ("renameat", 264),
    ("linkat", 265),
    ("symlinkat", 266),
    ("readlinkat", 267),
    ("fchmodat", 268),
    ("faccessat", 269),
    ("pselect6", 270),
    ("ppoll", 271),
    ("unshare", 272),
    ("set_robust_list", 273),
    ("get_robust_list", 274),
    ("splice", 275),
    ("tee", 276),
    ("sync_file_range", 277),
    ("vmsplice", 278),
    ("move_pages", 279),
    ("utimensat", 280),
    ("epoll_pwait", 281),
    ("signalfd", 282),
    ("timerfd_create", 283),
    ("eventfd", 284),
    ("fallocate", 285),
    ("timerfd_settime", 286),
    ("timerfd_gettime", 287),
    ("accept4", 288),
    ("signalfd4", 289),
    ("eventfd2", 290),
    ("epoll_create1", 291),
    ("dup3", 292),
    ("pipe2", 293),
    ("inotify_init1", 294),
    ("preadv", 295),
    ("pwritev", 296),
    ("rt_tgsigqueueinfo", 297),
    ("perf_event_open", 298),
    ("recvmmsg", 299),
    ("fanotify_init", 300),
    ("fanotify_mark", 301),
    ("prlimit64", 302),
    ("name_to_handle_at", 303),
    ("open_by_handle_at", 304),
    ("clock_adjtime", 305),
    ("syncfs", 306),
    ("sendmmsg", 307),
    ("setns", 308),
    ("getcpu", 309),
    ("process_vm_readv", 310),
    ("process_vm_writev", 311),
    ("kcmp", 312),
    ("finit_module", 313),
    ("sched_setattr", 314),
    ("sched_getattr", 315),
    ("renameat2", 316),
    ("seccomp", 317),
    ("getrandom", 318),
    ("memfd_create", 319),
    ("kexec_file_load", 320),
    ("bpf", 321),
    ("execveat", 322),
    ("userfaultfd", 323),
    ("membarrier", 324),
    ("mlock2", 325),
    ("copy_file_range", 326),
    ("preadv2", 327),
    ("pwritev2", 328),
    ("pkey_mprotect", 329),
    ("pkey_alloc", 330),
    ("pkey_free", 331),
    ("statx", 332),
    ("io_pgetevents", 333),
    ("rseq", 334),
    ("pidfd_send_signal", 424),
    ("io_uring_setup", 425),
    ("io_uring_enter", 426),
    ("io_uring_register", 427),
    ("open_tree", 428),
    ("move_mount", 429),
    ("fsopen", 430),
    ("fsconfig", 431),
    ("fsmount", 432),
    ("fspick", 433),
    ("pidfd_open", 434),
    ("clone3", 435),
    ("close_range", 436),
    ("openat2", 437),
    ("pidfd_getfd", 438),
    ("faccessat2", 439),
    ("process_madvise", 440),
    ("epoll_pwait2", 441),
    ("mount_setattr", 442),
    ("quotactl_fd", 443),
    ("landlock_create_ruleset", 444),
    ("landlock_add_rule", 445),
    ("landlock_restrict_self", 446),
    ("memfd_secret", 447),
    ("process_mrelease", 448),
    ("futex_waitv", 449),
    ("set_mempolicy_home_node", 450),
];

/// `read(2)`.
pub const READ: u32 = 0;
/// `write(2)`.
pub const WRITE: u32 = 1;
/// `open(2)`.
pub const OPEN: u32 = 2;
/// `close(2)`.
pub const CLOSE: u32 = 3;
/// `stat(2)`.
pub const STAT: u32 = 4;
/// `fstat(2)`.
pub const FSTAT: u32 = 5;
/// `lstat(2)`.
pub const LSTAT: u32 = 6;
/// `poll(2)`.
pub const POLL: u32 = 7;
/// `lseek(2)`.
pub const LSEEK: u32 = 8;
/// `mmap(2)`.
pub const MMAP: u32 = 9;
/// `mprotect(2)`.
pub const MPROTECT: u32 = 10;
/// `munmap(2)`.
pub const MUNMAP: u32 = 11;
/// `brk(2)`.
pub const BRK: u32 = 12;
/// `rt_sigaction(2)`.
pub const RT_SIGACTION: u32 = 13;
/// `rt_sigprocmask(2)`.
pub const RT_SIGPROCMASK: u32 = 14;
/// `rt_sigreturn(2)`.
pub const RT_SIGRETURN: u32 = 15;
/// `ioctl(2)`.
pub const IOCTL: u32 = 16;
/// `pread64(2)`.
pub const PREAD64: u32 = 17;
/// `pwrite64(2)`.
pub const PWRITE64: u32 = 18;
/// `readv(2)`.
pub const READV: u32 = 19;
/// `writev(2)`.
pub const WRITEV: u32 = 20;
/// `access(2)`.
pub const ACCESS: u32 = 21;
/// `pipe(2)`.
pub const PIPE: u32 = 22;
/// `select(2)`.
pub const SELECT: u32 = 23;
/// `sched_yield(2)`.
pub const SCHED_YIELD: u32 = 24;
/// `mremap(2)`.
pub const MREMAP: u32 = 25;
/// `msync(2)`.
pub const MSYNC: u32 = 26;
/// `mincore(2)`.
pub const MINCORE: u32 = 27;
/// `madvise(2)`.
pub const MADVISE: u32 = 28;
/// `shmget(2)`.
pub const SHMGET: u32 = 29;
/// `shmat(2)`.
pub const SHMAT: u32 = 30;
/// `shmctl(2)`.
pub const SHMCTL: u32 = 31;
/// `dup(2)`.
pub const DUP: u32 = 32;
/// `dup2(2)`.
pub const DUP2: u32 = 33;
/// `pause(2)`.
pub const PAUSE: u32 = 34;
/// `nanosleep(2)`.
pub const NANOSLEEP: u32 = 35;
/// `getitimer(2)`.
pub const GETITIMER: u32 = 36;
/// `alarm(2)`.
pub const ALARM: u32 = 37;
/// `setitimer(2)`.
pub const SETITIMER: u32 = 38;
/// `getpid(2)`.
pub const GETPID: u32 = 39;
/// `sendfile(2)`.
pub const SENDFILE: u32 = 40;
/// `socket(2)`.
pub const SOCKET: u32 = 41;
/// `connect(2)`.
pub const CONNECT: u32 = 42;
/// `accept(2)`.
pub const ACCEPT: u32 = 43;
/// `sendto(2)`.
pub const SENDTO: u32 = 44;
/// `recvfrom(2)`.
pub const RECVFROM: u32 = 45;
/// `sendmsg(2)`.
pub const SENDMSG: u32 = 46;
/// `recvmsg(2)`.
pub const RECVMSG: u32 = 47;
/// `shutdown(2)`.
pub const SHUTDOWN: u32 = 48;
/// `bind(2)`.
pub const BIND: u32 = 49;
/// `listen(2)`.
pub const LISTEN: u32 = 50;
/// `getsockname(2)`.
pub const GETSOCKNAME: u32 = 51;
/// `getpeername(2)`.
pub const GETPEERNAME: u32 = 52;
/// `socketpair(2)`.
pub const SOCKETPAIR: u32 = 53;
/// `setsockopt(2)`.
pub const SETSOCKOPT: u32 = 54;
/// `getsockopt(2)`.
pub const GETSOCKOPT: u32 = 55;
/// `clone(2)`.
pub const CLONE: u32 = 56;
/// `fork(2)`.
pub const FORK: u32 = 57;
/// `vfork(2)`.
pub const VFORK: u32 = 58;
/// `execve(2)`.
pub const EXECVE: u32 = 59;
/// `exit(2)`.
pub const EXIT: u32 = 60;
/// `wait4(2)`.
pub const WAIT4: u32 = 61;
/// `kill(2)`.
pub const KILL: u32 = 62;
/// `uname(2)`.
pub const UNAME: u32 = 63;
/// `semget(2)`.
pub const SEMGET: u32 = 64;
/// `semop(2)`.
pub const SEMOP: u32 = 65;
/// `semctl(2)`.
pub const SEMCTL: u32 = 66;
/// `shmdt(2)`.
pub const SHMDT: u32 = 67;
/// `msgget(2)`.
pub const MSGGET: u32 = 68;
/// `msgsnd(2)`.
pub const MSGSND: u32 = 69;
/// `msgrcv(2)`.
pub const MSGRCV: u32 = 70;
/// `msgctl(2)`.
pub const MSGCTL: u32 = 71;
/// `fcntl(2)`.
pub const FCNTL: u32 = 72;
/// `flock(2)`.
pub const FLOCK: u32 = 73;
/// `fsync(2)`.
pub const FSYNC: u32 = 74;
/// `fdatasync(2)`.
pub const FDATASYNC: u32 = 75;
/// `truncate(2)`.
pub const TRUNCATE: u32 = 76;
/// `ftruncate(2)`.
pub const FTRUNCATE: u32 = 77;
/// `getdents(2)`.
pub const GETDENTS: u32 = 78;
/// `getcwd(2)`.
pub const GETCWD: u32 = 79;
/// `chdir(2)`.
pub const CHDIR: u32 = 80;
/// `fchdir(2)`.
pub const FCHDIR: u32 = 81;
/// `rename(2)`.
pub const RENAME: u32 = 82;
/// `mkdir(2)`.
pub const MKDIR: u32 = 83;
/// `rmdir(2)`.
pub const RMDIR: u32 = 84;
/// `creat(2)`.
pub const CREAT: u32 = 85;
/// `link(2)`.
pub const LINK: u32 = 86;
/// `unlink(2)`.
pub const UNLINK: u32 = 87;
/// `symlink(2)`.
pub const SYMLINK: u32 = 88;
/// `readlink(2)`.
pub const READLINK: u32 = 89;
/// `chmod(2)`.
pub const CHMOD: u32 = 90;
/// `fchmod(2)`.
pub const FCHMOD: u32 = 91;
/// `chown(2)`.
pub const CHOWN: u32 = 92;
/// `fchown(2)`.
pub const FCHOWN: u32 = 93;
/// `lchown(2)`.
pub const LCHOWN: u32 = 94;
/// `umask(2)`.
pub const UMASK: u32 = 95;
/// `gettimeofday(2)`.
pub const GETTIMEOFDAY: u32 = 96;
/// `getrlimit(2)`.
pub const GETRLIMIT: u32 = 97;
/// `getrusage(2)`.
pub const GETRUSAGE: u32 = 98;
/// `sysinfo(2)`.
pub const SYSINFO: u32 = 99;
/// `times(2)`.
pub const TIMES: u32 = 100;
/// `ptrace(2)`.
pub const PTRACE: u32 = 101;
/// `getuid(2)`.
pub const GETUID: u32 = 102;
/// `syslog(2)`.
pub const SYSLOG: u32 = 103;
/// `getgid(2)`.
pub const GETGID: u32 = 104;
/// `setuid(2)`.
pub const SETUID: u32 = 105;
/// `setgid(2)`.
pub const SETGID: u32 = 106;
/// `geteuid(2)`.
pub const GETEUID: u32 = 107;
/// `getegid(2)`.
pub const GETEGID: u32 = 108;
/// `setpgid(2)`.
pub const SETPGID: u32 = 109;
/// `getppid(2)`.
pub const GETPPID: u32 = 110;
/// `getpgrp(2)`.
pub const GETPGRP: u32 = 111;
/// `setsid(2)`.
pub const SETSID: u32 = 112;
/// `setreuid(2)`.
pub const SETREUID: u32 = 113;
/// `setregid(2)`.
pub const SETREGID: u32 = 114;
/// `getgroups(2)`.
pub const GETGROUPS: u32 = 115;
/// `setgroups(2)`.
pub const SETGROUPS: u32 = 116;
/// `setresuid(2)`.
pub const SETRESUID: u32 = 117;
/// `getresuid(2)`.
pub const GETRESUID: u32 = 118;
/// `setresgid(2)`.
pub const SETRESGID: u32 = 119;
/// `getresgid(2)`.
pub const GETRESGID: u32 = 120;
/// `getpgid(2)`.
pub const GETPGID: u32 = 121;
/// `setfsuid(2)`.
pub const SETFSUID: u32 = 122;
/// `setfsgid(2)`.
pub const SETFSGID: u32 = 123;
/// `getsid(2)`.
pub const GETSID: u32 = 124;
/// `capget(2)`.
pub const CAPGET: u32 = 125;
/// `capset(2)`.
pub const CAPSET: u32 = 126;
/// `rt_sigpending(2)`.
pub const RT_SIGPENDING: u32 = 127;
/// `rt_sigtimedwait(2)`.
pub const RT_SIGTIMEDWAIT: u32 = 128;
/// `rt_sigqueueinfo(2)`.
pub const RT_SIGQUEUEINFO: u32 = 129;
/// `rt_sigsuspend(2)`.
pub const RT_SIGSUSPEND: u32 = 130;
/// `sigaltstack(2)`.
pub const SIGALTSTACK: u32 = 131;
/// `utime(2)`.
pub const UTIME: u32 = 132;
/// `mknod(2)`.
pub const MKNOD: u32 = 133;
/// `uselib(2)`.
pub const USELIB: u32 = 134;
/// `personality(2)`.
pub const PERSONALITY: u32 = 135;
/// `ustat(2)`.
pub const USTAT: u32 = 136;
/// `statfs(2)`.
pub const STATFS: u32 = 137;
/// `fstatfs(2)`.
pub const FSTATFS: u32 = 138;
/// `sysfs(2)`.
pub const SYSFS: u32 = 139;
/// `getpriority(2)`.
pub const GETPRIORITY: u32 = 140;
/// `setpriority(2)`.
pub const SETPRIORITY: u32 = 141;
/// `sched_setparam(2)`.
pub const SCHED_SETPARAM: u32 = 142;
/// `sched_getparam(2)`.
pub const SCHED_GETPARAM: u32 = 143;
/// `sched_setscheduler(2)`.
pub const SCHED_SETSCHEDULER: u32 = 144;
/// `sched_getscheduler(2)`.
pub const SCHED_GETSCHEDULER: u32 = 145;
/// `sched_get_priority_max(2)`.
pub const SCHED_GET_PRIORITY_MAX: u32 = 146;
/// `sched_get_priority_min(2)`.
pub const SCHED_GET_PRIORITY_MIN: u32 = 147;
/// `sched_rr_get_interval(2)`.
pub const SCHED_RR_GET_INTERVAL: u32 = 148;
/// `mlock(2)`.
pub const MLOCK: u32 = 149;
/// `munlock(2)`.
pub const MUNLOCK: u32 = 150;
/// `mlockall(2)`.
pub const MLOCKALL: u32 = 151;
/// `munlockall(2)`.
pub const MUNLOCKALL: u32 = 152;
/// `vhangup(2)`.
pub const VHANGUP: u32 = 153;
/// `modify_ldt(2)`.
pub const MODIFY_LDT: u32 = 154;
/// `pivot_root(2)`.
pub const PIVOT_ROOT: u32 = 155;
/// `_sysctl(2)`.
pub const _SYSCTL: u32 = 156;
/// `prctl(2)`.
pub const PRCTL: u32 = 157;
/// `arch_prctl(2)`.
pub const ARCH_PRCTL: u32 = 158;
/// `adjtimex(2)`.
pub const ADJTIMEX: u32 = 159;
/// `setrlimit(2)`.
pub const SETRLIMIT: u32 = 160;
/// `chroot(2)`.
pub const CHROOT: u32 = 161;
/// `sync(2)`.
pub const SYNC: u32 = 162;
/// `acct(2)`.
pub const ACCT: u32 = 163;
/// `settimeofday(2)`.
pub const SETTIMEOFDAY: u32 = 164;
/// `mount(2)`.
pub const MOUNT: u32 = 165;
/// `umount2(2)`.
pub const UMOUNT2: u32 = 166;
/// `swapon(2)`.
pub const SWAPON: u32 = 167;
/// `swapoff(2)`.
pub const SWAPOFF: u32 = 168;
/// `reboot(2)`.
pub const REBOOT: u32 = 169;
/// `sethostname(2)`.
pub const SETHOSTNAME: u32 = 170;
/// `setdomainname(2)`.
pub const SETDOMAINNAME: u32 = 171;
/// `iopl(2)`.
pub const IOPL: u32 = 172;
/// `ioperm(2)`.
pub const IOPERM: u32 = 173;
/// `create_module(2)`.
pub const CREATE_MODULE: u32 = 174;
/// `init_module(2)`.
pub const INIT_MODULE: u32 = 175;
/// `delete_module(2)`.
pub const DELETE_MODULE: u32 = 176;
/// `get_kernel_syms(2)`.
pub const GET_KERNEL_SYMS: u32 = 177;
/// `query_module(2)`.
pub const QUERY_MODULE: u32 = 178;
/// `quotactl(2)`.
pub const QUOTACTL: u32 = 179;
/// `nfsservctl(2)`.
pub const NFSSERVCTL: u32 = 180;
/// `getpmsg(2)`.
pub const GETPMSG: u32 = 181;
/// `putpmsg(2)`.
pub const PUTPMSG: u32 = 182;
/// `afs_syscall(2)`.
pub const AFS_SYSCALL: u32 = 183;
/// `tuxcall(2)`.
pub const TUXCALL: u32 = 184;
/// `security(2)`.
pub const SECURITY: u32 = 185;
/// `gettid(2)`.
pub const GETTID: u32 = 186;
/// `readahead(2)`.
pub const READAHEAD: u32 = 187;
/// `setxattr(2)`.
pub const SETXATTR: u32 = 188;
/// `lsetxattr(2)`.
pub const LSETXATTR: u32 = 189;
/// `fsetxattr(2)`.
pub const FSETXATTR: u32 = 190;
/// `getxattr(2)`.
pub const GETXATTR: u32 = 191;
/// `lgetxattr(2)`.
pub const LGETXATTR: u32 = 192;
/// `fgetxattr(2)`.
pub const FGETXATTR: u32 = 193;
/// `listxattr(2)`.
pub const LISTXATTR: u32 = 194;
/// `llistxattr(2)`.
pub const LLISTXATTR: u32 = 195;
/// `flistxattr(2)`.
pub const FLISTXATTR: u32 = 196;
/// `removexattr(2)`.
pub const REMOVEXATTR: u32 = 197;
/// `lremovexattr(2)`.
pub const LREMOVEXATTR: u32 = 198;
/// `fremovexattr(2)`.
pub const FREMOVEXATTR: u32 = 199;
/// `tkill(2)`.
pub const TKILL: u32 = 200;
/// `time(2)`.
pub const TIME: u32 = 201;
/// `futex(2)`.
pub const FUTEX: u32 = 202;
/// `sched_setaffinity(2)`.
pub const SCHED_SETAFFINITY: u32 = 203;
/// `sched_getaffinity(2)`.
pub const SCHED_GETAFFINITY: u32 = 204;
/// `set_thread_area(2)`.
pub const SET_THREAD_AREA: u32 = 205;
/// `io_setup(2)`.
pub const IO_SETUP: u32 = 206;
/// `io_destroy(2)`.
pub const IO_DESTROY: u32 = 207;
/// `io_getevents(2)`.
pub const IO_GETEVENTS: u32 = 208;
/// `io_submit(2)`.
pub const IO_SUBMIT: u32 = 209;
/// `io_cancel(2)`.
pub const IO_CANCEL: u32 = 210;
/// `get_thread_area(2)`.
pub const GET_THREAD_AREA: u32 = 211;
/// `lookup_dcookie(2)`.
pub const LOOKUP_DCOOKIE: u32 = 212;
/// `epoll_create(2)`.
pub const EPOLL_CREATE: u32 = 213;
/// `epoll_ctl_old(2)`.
pub const EPOLL_CTL_OLD: u32 = 214;
/// `epoll_wait_old(2)`.
pub const EPOLL_WAIT_OLD: u32 = 215;
/// `remap_file_pages(2)`.
pub const REMAP_FILE_PAGES: u32 = 216;
/// `getdents64(2)`.
pub const GETDENTS64: u32 = 217;
/// `set_tid_address(2)`.
pub const SET_TID_ADDRESS: u32 = 218;
/// `restart_syscall(2)`.
pub const RESTART_SYSCALL: u32 = 219;
/// `semtimedop(2)`.
pub const SEMTIMEDOP: u32 = 220;
/// `fadvise64(2)`.
pub const FADVISE64: u32 = 221;
/// `timer_create(2)`.
pub const TIMER_CREATE: u32 = 222;
/// `timer_settime(2)`.
pub const TIMER_SETTIME: u32 = 223;
/// `timer_gettime(2)`.
pub const TIMER_GETTIME: u32 = 224;
/// `timer_getoverrun(2)`.
pub const TIMER_GETOVERRUN: u32 = 225;
/// `timer_delete(2)`.
pub const TIMER_DELETE: u32 = 226;
/// `clock_settime(2)`.
pub const CLOCK_SETTIME: u32 = 227;
/// `clock_gettime(2)`.
pub const CLOCK_GETTIME: u32 = 228;
/// `clock_getres(2)`.
pub const CLOCK_GETRES: u32 = 229;
/// `clock_nanosleep(2)`.
pub const CLOCK_NANOSLEEP: u32 = 230;
/// `exit_group(2)`.
pub const EXIT_GROUP: u32 = 231;
/// `epoll_wait(2)`.
pub const EPOLL_WAIT: u32 = 232;
/// `epoll_ctl(2)`.
pub const EPOLL_CTL: u32 = 233;
/// `tgkill(2)`.
pub const TGKILL: u32 = 234;
/// `utimes(2)`.
pub const UTIMES: u32 = 235;
/// `vserver(2)`.
pub const VSERVER: u32 = 236;
/// `mbind(2)`.
pub const MBIND: u32 = 237;
/// `set_mempolicy(2)`.
pub const SET_MEMPOLICY: u32 = 238;
/// `get_mempolicy(2)`.
pub const GET_MEMPOLICY: u32 = 239;
/// `mq_open(2)`.
pub const MQ_OPEN: u32 = 240;
/// `mq_unlink(2)`.
pub const MQ_UNLINK: u32 = 241;
/// `mq_timedsend(2)`.
pub const MQ_TIMEDSEND: u32 = 242;
/// `mq_timedreceive(2)`.
pub const MQ_TIMEDRECEIVE: u32 = 243;
/// `mq_notify(2)`.
pub const MQ_NOTIFY: u32 = 244;
/// `mq_getsetattr(2)`.
pub const MQ_GETSETATTR: u32 = 245;
/// `kexec_load(2)`.
pub const KEXEC_LOAD: u32 = 246;
/// `waitid(2)`.
pub const WAITID: u32 = 247;
/// `add_key(2)`.
pub const ADD_KEY: u32 = 248;
/// `request_key(2)`.
pub const REQUEST_KEY: u32 = 249;
/// `keyctl(2)`.
pub const KEYCTL: u32 = 250;
/// `ioprio_set(2)`.
pub const IOPRIO_SET: u32 = 251;
/// `ioprio_get(2)`.
pub const IOPRIO_GET: u32 = 252;
/// `inotify_init(2)`.
pub const INOTIFY_INIT: u32 = 253;
/// `inotify_add_watch(2)`.
pub const INOTIFY_ADD_WATCH: u32 = 254;
/// `inotify_rm_watch(2)`.
pub const INOTIFY_RM_WATCH: u32 = 255;
/// `migrate_pages(2)`.
pub const MIGRATE_PAGES: u32 = 256;
/// `openat(2)`.
pub const OPENAT: u32 = 257;
/// `mkdirat(2)`.
pub const MKDIRAT: u32 = 258;
/// `mknodat(2)`.
pub const MKNODAT: u32 = 259;
/// `fchownat(2)`.
pub const FCHOWNAT: u32 = 260;
/// `futimesat(2)`.
pub const FUTIMESAT: u32 = 261;
/// `newfstatat(2)`.
pub const NEWFSTATAT: u32 = 262;
/// `unlinkat(2)`.
pub const UNLINKAT: u32 = 263;
/// `renameat(2)`.
pub const RENAMEAT: u32 = 264;
/// `linkat(2)`.
pub const LINKAT: u32 = 265;
/// `symlinkat(2)`.
pub const SYMLINKAT: u32 = 266;
/// `readlinkat(2)`.
pub const READLINKAT: u32 = 267;
/// `fchmodat(2)`.
pub const FCHMODAT: u32 = 268;
/// `faccessat(2)`.
pub const FACCESSAT: u32 = 269;
/// `pselect6(2)`.
pub const PSELECT6: u32 = 270;
/// `ppoll(2)`.
pub const PPOLL: u32 = 271;
/// `unshare(2)`.
pub const UNSHARE: u32 = 272;
/// `set_robust_list(2)`.
pub const SET_ROBUST_LIST: u32 = 273;
/// `get_robust_list(2)`.
pub const GET_ROBUST_LIST: u32 = 274;
/// `splice(2)`.
pub const SPLICE: u32 = 275;
/// `tee(2)`.
pub const TEE: u32 = 276;
/// `sync_file_range(2)`.
pub const SYNC_FILE_RANGE: u32 = 277;
/// `vmsplice(2)`.
pub const VMSPLICE: u32 = 278;
/// `move_pages(2)`.
pub const MOVE_PAGES: u32 = 279;
/// `utimensat(2)`.
pub const UTIMENSAT: u32 = 280;
/// `epoll_pwait(2)`.
pub const EPOLL_PWAIT: u32 = 281;
/// `signalfd(2)`.
pub const SIGNALFD: u32 = 282;
/// `timerfd_create(2)`.
pub const TIMERFD_CREATE: u32 = 283;
/// `eventfd(2)`.
pub const EVENTFD: u32 = 284;
/// `fallocate(2)`.
pub const FALLOCATE: u32 = 285;
/// `timerfd_settime(2)`.
pub const TIMERFD_SETTIME: u32 = 286;
/// `timerfd_gettime(2)`.
pub const TIMERFD_GETTIME: u32 = 287;
/// `accept4(2)`.
pub const ACCEPT4: u32 = 288;
/// `signalfd4(2)`.
pub const SIGNALFD4: u32 = 289;
/// `eventfd2(2)`.
pub const EVENTFD2: u32 = 290;
/// `epoll_create1(2)`.
pub const EPOLL_CREATE1: u32 = 291;
/// `dup3(2)`.
pub const DUP3: u32 = 292;
/// `pipe2(2)`.
pub const PIPE2: u32 = 293;
/// `inotify_init1(2)`.
pub const INOTIFY_INIT1: u32 = 294;
/// `preadv(2)`.
pub const PREADV: u32 = 295;
/// `pwritev(2)`.
pub const PWRITEV: u32 = 296;
/// `rt_tgsigqueueinfo(2)`.
pub const RT_TGSIGQUEUEINFO: u32 = 297;
/// `perf_event_open(2)`.
pub const PERF_EVENT_OPEN: u32 = 298;
/// `recvmmsg(2)`.
pub const RECVMMSG: u32 = 299;
/// `fanotify_init(2)`.
pub const FANOTIFY_INIT: u32 = 300;
/// `fanotify_mark(2)`.
pub const FANOTIFY_MARK: u32 = 301;
/// `prlimit64(2)`.
pub const PRLIMIT64: u32 = 302;
/// `name_to_handle_at(2)`.
pub const NAME_TO_HANDLE_AT: u32 = 303;
/// `open_by_handle_at(2)`.
pub const OPEN_BY_HANDLE_AT: u32 = 304;
/// `clock_adjtime(2)`.
pub const CLOCK_ADJTIME: u32 = 305;
/// `syncfs(2)`.
pub const SYNCFS: u32 = 306;
/// `sendmmsg(2)`.
pub const SENDMMSG: u32 = 307;
/// `setns(2)`.
pub const SETNS: u32 = 308;
/// `getcpu(2)`.
pub const GETCPU: u32 = 309;
/// `process_vm_readv(2)`.
pub const PROCESS_VM_READV: u32 = 310;
/// `process_vm_writev(2)`.
pub const PROCESS_VM_WRITEV: u32 = 311;
/// `kcmp(2)`.
pub const KCMP: u32 = 312;
/// `finit_module(2)`.
pub const FINIT_MODULE: u32 = 313;
/// `sched_setattr(2)`.
pub const SCHED_SETATTR: u32 = 314;
/// `sched_getattr(2)`.
pub const SCHED_GETATTR: u32 = 315;
/// `renameat2(2)`.
pub const RENAMEAT2: u32 = 316;
/// `seccomp(2)`.
pub const SECCOMP: u32 = 317;
/// `getrandom(2)`.
pub const GETRANDOM: u32 = 318;
/// `memfd_create(2)`.
pub const MEMFD_CREATE: u32 = 319;
/// `kexec_file_load(2)`.
pub const KEXEC_FILE_LOAD: u32 = 320;
/// `bpf(2)`.
pub const BPF: u32 = 321;
/// `execveat(2)`.
pub const EXECVEAT: u32 = 322;
/// `userfaultfd(2)`.
pub const USERFAULTFD: u32 = 323;
/// `membarrier(2)`.
pub const MEMBARRIER: u32 = 324;
/// `mlock2(2)`.
pub const MLOCK2: u32 = 325;
/// `copy_file_range(2)`.
pub const COPY_FILE_RANGE: u32 = 326;
/// `preadv2(2)`.
pub const PREADV2: u32 = 327;
/// `pwritev2(2)`.
pub const PWRITEV2: u32 = 328;
/// `pkey_mprotect(2)`.
pub const PKEY_MPROTECT: u32 = 329;
/// `pkey_alloc(2)`.
pub const PKEY_ALLOC: u32 = 330;
/// `pkey_free(2)`.
pub const PKEY_FREE: u32 = 331;
/// `statx(2)`.
pub const STATX: u32 = 332;
/// `io_pgetevents(2)`.
pub const IO_PGETEVENTS: u32 = 333;
/// `rseq(2)`.
pub const RSEQ: u32 = 334;
/// `pidfd_send_signal(2)`.
pub const PIDFD_SEND_SIGNAL: u32 = 424;
/// `io_uring_setup(2)`.
pub const IO_URING_SETUP: u32 = 425;
/// `io_uring_enter(2)`.
pub const IO_URING_ENTER: u32 = 426;
/// `io_uring_register(2)`.
pub const IO_URING_REGISTER: u32 = 427;
/// `open_tree(2)`.
pub const OPEN_TREE: u32 = 428;
/// `move_mount(2)`.
pub const MOVE_MOUNT: u32 = 429;
/// `fsopen(2)`.
pub const FSOPEN: u32 = 430;
/// `fsconfig(2)`.
pub const FSCONFIG: u32 = 431;
/// `fsmount(2)`.
pub const FSMOUNT: u32 = 432;
/// `fspick(2)`.
pub const FSPICK: u32 = 433;
/// `pidfd_open(2)`.
pub const PIDFD_OPEN: u32 = 434;
/// `clone3(2)`.
pub const CLONE3: u32 = 435;
/// `close_range(2)`.
pub const CLOSE_RANGE: u32 = 436;
/// `openat2(2)`.
pub const OPENAT2: u32 = 437;
/// `pidfd_getfd(2)`.
pub const PIDFD_GETFD: u32 = 438;
/// `faccessat2(2)`.
pub const FACCESSAT2: u32 = 439;
/// `process_madvise(2)`.
pub const PROCESS_MADVISE: u32 = 440;
/// `epoll_pwait2(2)`.
pub const EPOLL_PWAIT2: u32 = 441;
/// `mount_setattr(2)`.
pub const MOUNT_SETATTR: u32 = 442;
/// `quotactl_fd(2)`.
pub const QUOTACTL_FD: u32 = 443;
/// `landlock_create_ruleset(2)`.
pub const LANDLOCK_CREATE_RULESET: u32 = 444;
/// `landlock_add_rule(2)`.
pub const LANDLOCK_ADD_RULE: u32 = 445;
/// `landlock_restrict_self(2)`.
pub const LANDLOCK_RESTRICT_SELF: u32 = 446;
/// `memfd_secret(2)`.
pub const MEMFD_SECRET: u32 = 447;
/// `process_mrelease(2)`.
pub const PROCESS_MRELEASE: u32 = 448;
/// `futex_waitv(2)`.
pub const FUTEX_WAITV: u32 = 449;
/// `set_mempolicy_home_node(2)`.
pub const SET_MEMPOLICY_HOME_NODE: u32 = 450;

/// The name of a call, if the number is one.
pub fn name(number: u32) -> Option<&'static str> {
    let row = TABLE.binary_search_by_key(&number, |(_, n)| *n).ok()?;
    TABLE.get(row).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_are_found() {
        assert!(TABLE.windows(2).all(|w| w[0].1 < w[1].1));
        assert_eq!(name(READ), Some("read"));
        assert_eq!(name(EPOLL_PWAIT2), Some("epoll_pwait2"));
        assert_eq!(name(9999), None);
    }
}
