//! Processes, threads and memory: `include/uapi/linux/{sched,futex,prctl,resource,utsname,sysinfo,auxvec,mman}.h`.

use crate::abi;

/// clone(2): the signal sent to the parent at exit.
pub const CSIGNAL: u64 = 0xff;
/// clone(2): share the address space.
pub const CLONE_VM: u64 = 0x100;
/// clone(2): share root and working directory.
pub const CLONE_FS: u64 = 0x200;
/// clone(2): share the descriptor table.
pub const CLONE_FILES: u64 = 0x400;
/// clone(2): share the signal actions.
pub const CLONE_SIGHAND: u64 = 0x800;
/// clone(2): the parent waits until the child releases the address space.
pub const CLONE_VFORK: u64 = 0x4000;
/// clone(2): a thread of the same process.
pub const CLONE_THREAD: u64 = 0x1_0000;
/// clone(2): share System V semaphore undo lists.
pub const CLONE_SYSVSEM: u64 = 0x4_0000;
/// clone(2): set the thread pointer.
pub const CLONE_SETTLS: u64 = 0x8_0000;
/// clone(2): store the thread id at `parent_tid`.
pub const CLONE_PARENT_SETTID: u64 = 0x10_0000;
/// clone(2): clear `child_tid` and wake it at exit.
pub const CLONE_CHILD_CLEARTID: u64 = 0x20_0000;
/// clone(2): no effect.
pub const CLONE_DETACHED: u64 = 0x40_0000;
/// clone(2): store the thread id at `child_tid`.
pub const CLONE_CHILD_SETTID: u64 = 0x100_0000;

/// mmap(2): no access.
pub const PROT_NONE: u32 = 0;
/// mmap(2): readable.
pub const PROT_READ: u32 = 1;
/// mmap(2): writable.
pub const PROT_WRITE: u32 = 2;
/// mmap(2): executable.
pub const PROT_EXEC: u32 = 4;
/// mprotect(2): down to the start of a growing mapping.
pub const PROT_GROWSDOWN: u32 = 0x0100_0000;
/// mprotect(2): up to the end of a growing mapping.
pub const PROT_GROWSUP: u32 = 0x0200_0000;

/// mmap(2): shared.
pub const MAP_SHARED: u32 = 1;
/// mmap(2): private copy.
pub const MAP_PRIVATE: u32 = 2;
/// mmap(2): shared, refusing unknown flags.
pub const MAP_SHARED_VALIDATE: u32 = 3;
/// mmap(2): at exactly this address.
pub const MAP_FIXED: u32 = 0x10;
/// mmap(2): without a file.
pub const MAP_ANONYMOUS: u32 = 0x20;
/// mmap(2): below 2 GiB.
pub const MAP_32BIT: u32 = 0x40;
/// mmap(2): grows down, like a stack.
pub const MAP_GROWSDOWN: u32 = 0x100;
/// mmap(2): lock it.
pub const MAP_LOCKED: u32 = 0x2000;
/// mmap(2): do not account for it.
pub const MAP_NORESERVE: u32 = 0x4000;
/// mmap(2): fault it in.
pub const MAP_POPULATE: u32 = 0x8000;
/// mmap(2): huge pages.
pub const MAP_HUGETLB: u32 = 0x4_0000;
/// mmap(2): at exactly this address, if it is free.
pub const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;

/// mremap(2): it may move.
pub const MREMAP_MAYMOVE: u32 = 1;
/// mremap(2): to exactly this address.
pub const MREMAP_FIXED: u32 = 2;
/// mremap(2): leave the old mapping.
pub const MREMAP_DONTUNMAP: u32 = 4;

abi! {
    /// `struct clone_args` of clone3(2), all of its versions.
    pub struct CloneArgs: 88 {
        /// `CLONE_*`.
        pub flags: u64,
        /// Where the pidfd goes.
        pub pidfd: u64,
        /// Where the child stores its id.
        pub child_tid: u64,
        /// Where the parent stores the child's id.
        pub parent_tid: u64,
        /// Signal at exit.
        pub exit_signal: u64,
        /// Lowest address of the stack.
        pub stack: u64,
        /// Size of the stack.
        pub stack_size: u64,
        /// Thread pointer.
        pub tls: u64,
        /// Ids to use.
        pub set_tid: u64,
        /// How many.
        pub set_tid_size: u64,
        /// Control group.
        pub cgroup: u64,
    }

    /// `struct rlimit64`.
    pub struct Rlimit: 16 {
        /// Soft limit.
        pub cur: u64,
        /// Hard limit.
        pub max: u64,
    }

    /// `struct rusage`; of the counts only what is kept is not zero.
    pub struct Rusage: 144 {
        /// User time.
        pub utime: crate::time::Timeval,
        /// System time.
        pub stime: crate::time::Timeval,
        /// Largest resident set in KiB.
        pub maxrss: i64,
        /// The other counts.
        pub other: [i64; 13],
    }

    /// `struct new_utsname`.
    pub struct Utsname: 390 {
        /// `Linux`.
        pub sysname: [u8; 65],
        /// Host name.
        pub nodename: [u8; 65],
        /// Kernel release.
        pub release: [u8; 65],
        /// Kernel version.
        pub version: [u8; 65],
        /// `x86_64`.
        pub machine: [u8; 65],
        /// Domain name.
        pub domainname: [u8; 65],
    }

    /// `struct sysinfo`.
    pub struct Sysinfo: 112 {
        /// Seconds since start.
        pub uptime: i64,
        /// Load averages.
        pub loads: [u64; 3],
        /// Memory in units.
        pub totalram: u64,
        /// Free memory in units.
        pub freeram: u64,
        /// Shared memory in units.
        pub sharedram: u64,
        /// Buffers in units.
        pub bufferram: u64,
        /// Swap in units.
        pub totalswap: u64,
        /// Free swap in units.
        pub freeswap: u64,
        /// Number of processes.
        pub procs: u16,
        /// Alignment.
        pub pad: [u16; 3],
        /// High memory.
        pub totalhigh: u64,
        /// Free high memory.
        pub freehigh: u64,
        /// The unit in bytes.
        pub mem_unit: u32,
        /// Alignment.
        pub pad2: u32,
    }

    /// `struct robust_list_head`.
    pub struct RobustListHead: 24 {
        /// The first entry.
        pub list: u64,
        /// Offset of the futex word from an entry.
        pub futex_offset: i64,
        /// The entry being worked on.
        pub pending: u64,
    }

    /// `struct __user_cap_header_struct`.
    pub struct CapHeader: 8 {
        /// `_LINUX_CAPABILITY_VERSION_*`.
        pub version: u32,
        /// The process.
        pub pid: i32,
    }

    /// `struct __user_cap_data_struct`.
    pub struct CapData: 12 {
        /// Effective.
        pub effective: u32,
        /// Permitted.
        pub permitted: u32,
        /// Inheritable.
        pub inheritable: u32,
    }
}
