//! The object that a path leads to.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use linux_abi::Errno;

use crate::vfs::{File, OpenFile};

/// The type of a file; the numbers are the `DT_*` values of `readdir(3)`, which are `S_IFMT >> 12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub(crate) enum Kind {
    Fifo = 1,
    CharDevice = 2,
    Directory = 4,
    BlockDevice = 6,
    Regular = 8,
    Symlink = 10,
    Socket = 12,
}

impl Kind {
    /// The type bits of `st_mode`.
    pub(crate) const fn mode_bits(self) -> u32 {
        (self as u32) << 12
    }

    /// The type in an `st_mode`, if it is one.
    pub(crate) const fn of_mode(mode: u32) -> Option<Self> {
        Some(match (mode >> 12) & 0xf {
            1 => Self::Fifo,
            2 => Self::CharDevice,
            4 => Self::Directory,
            6 => Self::BlockDevice,
            8 => Self::Regular,
            10 => Self::Symlink,
            12 => Self::Socket,
            _ => return None,
        })
    }
}

/// A point in time since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    /// Seconds.
    pub(crate) sec: i64,
    /// Nanoseconds, below 10⁹.
    pub(crate) nsec: u32,
}

impl Timestamp {
    /// The present.
    pub(crate) fn now() -> Self {
        let ns = crate::machine::machine().realtime_ns();
        Self { sec: (ns / 1_000_000_000) as i64, nsec: (ns % 1_000_000_000) as u32 }
    }
}

/// What stat(2) tells of a file.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the names of struct stat
pub(crate) struct Attributes {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) kind: Kind,
    /// Permission bits with set-user-id, set-group-id and sticky; without the type.
    pub(crate) mode: u32,
    pub(crate) nlink: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) rdev: u64,
    pub(crate) size: u64,
    /// In units of 512 bytes.
    pub(crate) blocks: u64,
    pub(crate) atime: Timestamp,
    pub(crate) mtime: Timestamp,
    pub(crate) ctime: Timestamp,
    pub(crate) btime: Timestamp,
}

impl Attributes {
    /// Those of a synthetic object that belongs to root.
    pub(crate) fn synthetic(dev: u64, ino: u64, kind: Kind, mode: u32) -> Self {
        let now = Timestamp::now();
        Self {
            dev,
            ino,
            kind,
            mode,
            nlink: if kind == Kind::Directory { 2 } else { 1 },
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
        }
    }
}

/// Changes of attributes; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    /// Permission bits.
    pub(crate) mode: Option<u32>,
    /// Owner.
    pub(crate) uid: Option<u32>,
    /// Group.
    pub(crate) gid: Option<u32>,
    /// Length of a regular file.
    pub(crate) size: Option<u64>,
    /// Time of last access.
    pub(crate) atime: Option<Timestamp>,
    /// Time of last change of the contents.
    pub(crate) mtime: Option<Timestamp>,
}

/// What to make in a directory.
pub(crate) struct NewNode<'a> {
    /// Type.
    pub(crate) kind: Kind,
    /// Permission bits, with the umask applied.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Device number (mknod(2)).
    pub(crate) rdev: u64,
    /// Target of a symbolic link.
    pub(crate) target: &'a [u8],
}

/// One entry of a directory as getdents64(2) gives it.
pub(crate) struct DirEntry<'a> {
    /// Name without a zero byte.
    pub(crate) name: &'a [u8],
    /// Inode number.
    pub(crate) ino: u64,
    /// Type.
    pub(crate) kind: Kind,
    /// The position behind this entry: where the next listing goes on.
    pub(crate) next: u64,
}

/// What rename(2) may do with an existing target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RenameMode {
    /// Replace it.
    Replace,
    /// `RENAME_NOREPLACE`.
    NoReplace,
    /// `RENAME_EXCHANGE`.
    Exchange,
}

/// What statfs(2) tells of a file system; sizes in blocks of 4096 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // the names of struct statfs
pub(crate) struct FsStats {
    pub(crate) magic: u64,
    pub(crate) blocks: u64,
    pub(crate) free: u64,
    pub(crate) files: u64,
    pub(crate) files_free: u64,
    pub(crate) read_only: bool,
}

/// Where a magic link of /proc leads: not to a path, but to an object.
pub(crate) enum Magic {
    /// An inode, with the name that it was opened by.
    Place(Place),
    /// An open description whose object is no file of a file system (a pipe, a socket).
    Description(Arc<OpenFile>),
}

/// An inode and how it was reached.
#[derive(Clone)]
pub(crate) struct Place {
    /// The inode.
    pub(crate) inode: Arc<dyn Inode>,
    /// The directory in which it was found; `None` for directories, which know their parent themselves.
    pub(crate) parent: Option<Arc<dyn Inode>>,
    /// Its name there.
    pub(crate) name: Arc<[u8]>,
}

/// What lies in a file system. The default of each operation is the error of a file system that does not have it.
pub(crate) trait Inode: Any + Send + Sync {
    /// Its attributes now.
    fn attributes(&self) -> Result<Attributes, Errno>;

    /// Its type, which never changes.
    fn kind(&self) -> Kind;

    /// Makes the object behind a new description. `flags` are open(2)'s; permissions were checked.
    fn open(self: Arc<Self>, flags: u32) -> Result<Arc<dyn File>, Errno>;

    /// Whether its file system refuses changes.
    fn read_only(&self) -> bool {
        true
    }

    /// Changes attributes.
    fn change(self: Arc<Self>, _changes: &Changes) -> Result<(), Errno> {
        Err(if self.read_only() { Errno::EROFS } else { Errno::EPERM })
    }

    // --- directories --------------------------------------------------------------------------------------------------
    /// The entry of that name (never `.` or `..`).
    fn lookup(self: Arc<Self>, _name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// The directory above; `None` at the top of a file system.
    fn parent(&self) -> Option<Arc<dyn Inode>> {
        None
    }

    /// The name of a directory in its parent (for getcwd(2)); empty if it was removed or is the top.
    fn name(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Whether a directory was removed while it was open.
    fn removed(&self) -> bool {
        false
    }

    /// Calls `emit` for each entry behind `position`, `.` and `..` included, until it says `false`.
    fn list(&self, _position: u64, _emit: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<(), Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Makes an entry; `EEXIST` if there is one.
    fn create(self: Arc<Self>, _name: &[u8], _new: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        Err(if self.read_only() { Errno::EROFS } else { Errno::EPERM })
    }

    /// Makes an inode without a name (`O_TMPFILE`).
    fn create_unnamed(self: Arc<Self>, _new: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Makes a hard link to `target`, which lies in the same file system.
    fn link(self: Arc<Self>, _name: &[u8], _target: &Arc<dyn Inode>) -> Result<(), Errno> {
        Err(if self.read_only() { Errno::EROFS } else { Errno::EPERM })
    }

    /// Removes an entry: a directory if `directory`, else anything else.
    fn remove(self: Arc<Self>, _name: &[u8], _directory: bool) -> Result<(), Errno> {
        Err(if self.read_only() { Errno::EROFS } else { Errno::EPERM })
    }

    /// Moves `old` of this directory to `new` of `to` (same file system).
    fn rename(self: Arc<Self>, _old: &[u8], _to: &Arc<dyn Inode>, _new: &[u8], _mode: RenameMode) -> Result<(), Errno> {
        Err(if self.read_only() { Errno::EROFS } else { Errno::EPERM })
    }

    // --- symbolic links -----------------------------------------------------------------------------------------------
    /// The target of a symbolic link.
    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }

    /// For the links of /proc that lead to objects: the object.
    fn magic(&self) -> Option<Result<Magic, Errno>> {
        None
    }

    // --- extended attributes ------------------------------------------------------------------------------------------
    /// The value of an extended attribute; `ENODATA` if there is none.
    fn get_xattr(&self, _name: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets one. `create`: it must not exist; `replace`: it must.
    fn set_xattr(self: Arc<Self>, _name: &[u8], _value: &[u8], _create: bool, _replace: bool) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Removes one.
    fn remove_xattr(self: Arc<Self>, _name: &[u8]) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The names, each with a zero byte behind it.
    fn list_xattrs(&self) -> Result<Vec<u8>, Errno> {
        Ok(Vec::new())
    }

    // --- the file system ------------------------------------------------------------------------------------------------
    /// What statfs(2) tells.
    fn stats(&self) -> Result<FsStats, Errno> {
        Ok(FsStats::default())
    }

    /// The socket that was bound to this inode (unix(7)).
    fn socket(&self) -> Option<Weak<dyn Any + Send + Sync>> {
        None
    }

    /// Binds a socket to this inode, which is of that type.
    fn set_socket(&self, _socket: Weak<dyn Any + Send + Sync>) {}

    /// For those who need to know the type: downcast this.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}
