//! Structures and constants of the file calls.

/// Directory descriptor that means the working directory (`include/uapi/linux/fcntl.h`).
pub const AT_FDCWD: i32 = -100;
#[allow(missing_docs)] // the names of the manual pages
mod at {
    pub const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
    pub const AT_EACCESS: u32 = 0x200;
    pub const AT_REMOVEDIR: u32 = 0x200;
    pub const AT_SYMLINK_FOLLOW: u32 = 0x400;
    pub const AT_NO_AUTOMOUNT: u32 = 0x800;
    pub const AT_EMPTY_PATH: u32 = 0x1000;
    pub const AT_STATX_SYNC_TYPE: u32 = 0x6000;
}
pub use at::*;

// open(2) (`include/uapi/asm-generic/fcntl.h`)
#[allow(missing_docs)] // the names of the manual pages
mod open {
    pub const O_ACCMODE: u32 = 3;
    pub const O_RDONLY: u32 = 0;
    pub const O_WRONLY: u32 = 1;
    pub const O_RDWR: u32 = 2;
    pub const O_CREAT: u32 = 0o100;
    pub const O_EXCL: u32 = 0o200;
    pub const O_NOCTTY: u32 = 0o400;
    pub const O_TRUNC: u32 = 0o1000;
    pub const O_APPEND: u32 = 0o2000;
    pub const O_NONBLOCK: u32 = 0o4000;
    pub const O_DSYNC: u32 = 0o10000;
    pub const FASYNC: u32 = 0o20000;
    pub const O_DIRECT: u32 = 0o40000;
    pub const O_LARGEFILE: u32 = 0o100000;
    pub const O_DIRECTORY: u32 = 0o200000;
    pub const O_NOFOLLOW: u32 = 0o400000;
    pub const O_NOATIME: u32 = 0o1000000;
    pub const O_CLOEXEC: u32 = 0o2000000;
    pub const O_SYNC: u32 = 0o4010000;
    pub const O_PATH: u32 = 0o10000000;
    pub const O_TMPFILE: u32 = 0o20200000;
}
pub use open::*;

// inotify(7) (`include/uapi/linux/inotify.h`)
#[allow(missing_docs)] // the names of the manual pages
mod inotify {
    pub const IN_ACCESS: u32 = 0x1;
    pub const IN_MODIFY: u32 = 0x2;
    pub const IN_ATTRIB: u32 = 0x4;
    pub const IN_CLOSE_WRITE: u32 = 0x8;
    pub const IN_CLOSE_NOWRITE: u32 = 0x10;
    pub const IN_OPEN: u32 = 0x20;
    pub const IN_MOVED_FROM: u32 = 0x40;
    pub const IN_MOVED_TO: u32 = 0x80;
    pub const IN_CREATE: u32 = 0x100;
    pub const IN_DELETE: u32 = 0x200;
    pub const IN_DELETE_SELF: u32 = 0x400;
    pub const IN_MOVE_SELF: u32 = 0x800;
    pub const IN_ALL_EVENTS: u32 = 0xfff;
    pub const IN_Q_OVERFLOW: u32 = 0x4000;
    pub const IN_IGNORED: u32 = 0x8000;
    pub const IN_ONLYDIR: u32 = 0x0100_0000;
    pub const IN_DONT_FOLLOW: u32 = 0x0200_0000;
    pub const IN_MASK_CREATE: u32 = 0x1000_0000;
    pub const IN_MASK_ADD: u32 = 0x2000_0000;
    pub const IN_ISDIR: u32 = 0x4000_0000;
    pub const IN_ONESHOT: u32 = 0x8000_0000;
}
pub use inotify::*;

// openat2(2) (`include/uapi/linux/openat2.h`)
#[allow(missing_docs)] // the names of the manual pages
mod resolve {
    pub const RESOLVE_NO_XDEV: u64 = 1;
    pub const RESOLVE_NO_MAGICLINKS: u64 = 2;
    pub const RESOLVE_NO_SYMLINKS: u64 = 4;
    pub const RESOLVE_BENEATH: u64 = 8;
    pub const RESOLVE_IN_ROOT: u64 = 16;
    pub const RESOLVE_CACHED: u64 = 32;
}
pub use resolve::*;

// fcntl(2)
#[allow(missing_docs)] // the names of the manual pages
mod fcntl {
    pub const F_DUPFD: i32 = 0;
    pub const F_GETFD: i32 = 1;
    pub const F_SETFD: i32 = 2;
    pub const F_GETFL: i32 = 3;
    pub const F_SETFL: i32 = 4;
    pub const F_GETLK: i32 = 5;
    pub const F_SETLK: i32 = 6;
    pub const F_SETLKW: i32 = 7;
    pub const F_SETOWN: i32 = 8;
    pub const F_GETOWN: i32 = 9;
    pub const F_OFD_GETLK: i32 = 36;
    pub const F_OFD_SETLK: i32 = 37;
    pub const F_OFD_SETLKW: i32 = 38;
    pub const F_SETPIPE_SZ: i32 = 1031;
    pub const F_GETPIPE_SZ: i32 = 1032;
    pub const F_DUPFD_CLOEXEC: i32 = 1030;
    pub const F_ADD_SEALS: i32 = 1033;
    pub const F_GET_SEALS: i32 = 1034;
    pub const F_SEAL_SEAL: u32 = 1;
    pub const F_SEAL_SHRINK: u32 = 2;
    pub const F_SEAL_GROW: u32 = 4;
    pub const F_SEAL_WRITE: u32 = 8;
    pub const F_SEAL_FUTURE_WRITE: u32 = 16;
    pub const FALLOC_FL_KEEP_SIZE: u32 = 1;
    pub const FALLOC_FL_PUNCH_HOLE: u32 = 2;
    pub const FALLOC_FL_ZERO_RANGE: u32 = 16;
    pub const FD_CLOEXEC: u32 = 1;
    pub const F_RDLCK: i16 = 0;
    pub const F_WRLCK: i16 = 1;
    pub const F_UNLCK: i16 = 2;
    pub const LOCK_SH: i32 = 1;
    pub const LOCK_EX: i32 = 2;
    pub const LOCK_NB: i32 = 4;
    pub const LOCK_UN: i32 = 8;
}
pub use fcntl::*;

crate::abi! {
    /// `struct flock` of fcntl_locking(2), as its five fields with the padding named.
    #[allow(missing_docs)] // the names of the manual pages
    pub struct Flock: 32 {
        pub l_type: i16,
        pub l_whence: i16,
        pub padding: u32,
        pub l_start: i64,
        pub l_len: i64,
        pub l_pid: i32,
        pub padding2: u32,
    }
}

crate::abi! {
    /// `struct stat` of x86-64 (`arch/x86/include/uapi/asm/stat.h`).
    #[allow(missing_docs)] // the names of the manual pages
    pub struct Stat: 144 {
        pub st_dev: u64,
        pub st_ino: u64,
        pub st_nlink: u64,
        pub st_mode: u32,
        pub st_uid: u32,
        pub st_gid: u32,
        pub padding: u32,
        pub st_rdev: u64,
        pub st_size: i64,
        pub st_blksize: i64,
        pub st_blocks: i64,
        pub st_atime: i64,
        pub st_atime_nsec: i64,
        pub st_mtime: i64,
        pub st_mtime_nsec: i64,
        pub st_ctime: i64,
        pub st_ctime_nsec: i64,
        pub unused: [i64; 3],
    }
}

crate::abi! {
    /// `struct statx_timestamp` (`include/uapi/linux/stat.h`).
    #[allow(missing_docs)] // the names of the manual pages
    pub struct StatxTimestamp: 16 {
        pub tv_sec: i64,
        pub tv_nsec: u32,
        pub reserved: i32,
    }
}

crate::abi! {
    /// `struct statx`.
    #[allow(missing_docs)] // the names of the manual pages
    pub struct Statx: 256 {
        pub stx_mask: u32,
        pub stx_blksize: u32,
        pub stx_attributes: u64,
        pub stx_nlink: u32,
        pub stx_uid: u32,
        pub stx_gid: u32,
        pub stx_mode: u16,
        pub padding: u16,
        pub stx_ino: u64,
        pub stx_size: u64,
        pub stx_blocks: u64,
        pub stx_attributes_mask: u64,
        pub stx_atime: StatxTimestamp,
        pub stx_btime: StatxTimestamp,
        pub stx_ctime: StatxTimestamp,
        pub stx_mtime: StatxTimestamp,
        pub stx_rdev_major: u32,
        pub stx_rdev_minor: u32,
        pub stx_dev_major: u32,
        pub stx_dev_minor: u32,
        pub spare: [u64; 14],
    }
}

/// The fields that statx(2) always gives (`STATX_BASIC_STATS`), and the time of birth.
pub const STATX_BASIC_AND_BTIME: u32 = 0xfff;

crate::abi! {
    /// `struct statfs` of x86-64 (`include/uapi/asm-generic/statfs.h`).
    #[allow(missing_docs)] // the names of the manual pages
    pub struct Statfs: 120 {
        pub f_type: i64,
        pub f_bsize: i64,
        pub f_blocks: u64,
        pub f_bfree: u64,
        pub f_bavail: u64,
        pub f_files: u64,
        pub f_ffree: u64,
        pub f_fsid: [i32; 2],
        pub f_namelen: i64,
        pub f_frsize: i64,
        pub f_flags: i64,
        pub f_spare: [i64; 4],
    }
}

/// The size of the fixed part of `struct linux_dirent64`: `d_ino`, `d_off`, `d_reclen`, `d_type`.
pub const DIRENT64_HEADER: usize = 19;

// limits (`include/uapi/linux/limits.h`)
/// The longest path, with its zero byte.
pub const PATH_MAX: usize = 4096;
/// The longest name.
pub const NAME_MAX: usize = 255;
/// How many symbolic links a path may lead through (`MAXSYMLINKS`).
pub const SYMLINK_LIMIT: usize = 40;
/// The most bytes that one read or write moves (`MAX_RW_COUNT`).
pub const MAX_RW_COUNT: usize = 0x7fff_f000;
/// The most pieces of readv(2).
pub const IOV_MAX: usize = 1024;
