use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;

use linux_abi::fs::{
    DIRENT64_HEADER, O_ACCMODE, O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY,
    O_RDWR, O_WRONLY, Stat, Statfs,
};
use linux_abi::{Errno, Pod, nr};

use super::Volume;
use super::file::HostFile;
use super::host::{Handle, address, address_mut, c_string};
use crate::sync::{Mutex, mutex};
use crate::vfs::{Attributes, Changes, DirEntry, File, FsStats, Inode, Kind, NewNode, RenameMode, Timestamp};

/// An inode of a volume. It is made anew for each lookup and keeps a handle that names it, whatever is renamed.
pub(super) struct HostInode {
    volume: Volume,
    handle: Handle,
    kind: Kind,
    ino: u64,
    name: Vec<u8>,
    /// The directory in which it was found.
    parent: Option<Arc<Self>>,
    /// For the top of a volume: its path in the empty container; empty otherwise.
    path: alloc::string::String,
    /// For listing: a handle that is open for reading.
    listing: Mutex<Option<Handle>>,
}

fn attributes(volume: &Volume, stat: &Stat) -> Result<Attributes, Errno> {
    let time = |sec, nsec: i64| Timestamp { sec, nsec: nsec as u32 };
    Ok(Attributes {
        dev: volume.device,
        ino: stat.st_ino,
        kind: Kind::of_mode(stat.st_mode).ok_or(Errno::EIO)?,
        mode: stat.st_mode & 0o7777,
        nlink: stat.st_nlink as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: stat.st_rdev,
        size: stat.st_size as u64,
        blocks: stat.st_blocks as u64,
        atime: time(stat.st_atime, stat.st_atime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        btime: time(stat.st_ctime, stat.st_ctime_nsec),
    })
}

fn host_inode(inode: &Arc<dyn Inode>) -> Result<Arc<HostInode>, Errno> {
    inode.clone().into_any().downcast().map_err(|_| Errno::EXDEV)
}

impl HostInode {
    /// The top of a volume; `EIO` if the host's side is not what the boot information says.
    pub(super) fn top(volume: Volume, path: &str, directory: bool) -> Result<Arc<Self>, Errno> {
        let handle = Handle::absolute(path, O_PATH | O_NOFOLLOW)?;
        let top = Self::new(volume, handle, None, b"", path)?;
        if (top.kind == Kind::Directory) == directory { Ok(top) } else { Err(Errno::EIO) }
    }

    fn new(
        volume: Volume,
        handle: Handle,
        parent: Option<Arc<Self>>,
        name: &[u8],
        path: &str,
    ) -> Result<Arc<Self>, Errno> {
        let stat = handle.stat()?;
        let kind = Kind::of_mode(stat.st_mode).ok_or(Errno::EIO)?;
        let (name, path) = (name.to_vec(), path.into());
        Ok(Arc::new(Self { volume, handle, kind, ino: stat.st_ino, name, parent, path, listing: mutex(None) }))
    }

    fn check_writable(&self) -> Result<(), Errno> {
        if self.volume.read_only { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Opens the same file for reading or writing; `ESTALE` if the name means something else by now.
    fn reopen(&self, flags: u32) -> Result<Handle, Errno> {
        let flags = flags | O_NOFOLLOW | O_NONBLOCK;
        let handle = match &self.parent {
            _ if self.kind == Kind::Directory => self.handle.open(b".", flags, 0),
            Some(parent) => parent.handle.open(&self.name, flags, 0),
            None => Handle::absolute(&self.path, flags),
        }?;
        if handle.stat()?.st_ino == self.ino { Ok(handle) } else { Err(Errno::ESTALE) }
    }

    fn make_node(&self, name: &[u8], new: &NewNode<'_>) -> Result<(), Errno> {
        match new.kind {
            Kind::Regular => {
                self.handle.open(name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, new.mode)?;
            }
            Kind::Directory => {
                self.handle.call_name(nr::MKDIRAT, name, [new.mode.into(), 0, 0])?;
            }
            Kind::Symlink => {
                let (target, name) = (c_string(new.target), c_string(name));
                let directory = self.handle.number().into();
                super::host::call(nr::SYMLINKAT, [address(&target), directory, address(&name), 0, 0, 0])?;
            }
            _ => return Err(Errno::EPERM),
        }
        Ok(())
    }

    /// A call with a name here and a name in another directory.
    fn call_names(&self, number: u32, old: &[u8], to: &Self, new: &[u8], flags: u64) -> Result<(), Errno> {
        let (old, new) = (c_string(old), c_string(new));
        self.handle.call(number, [address(&old), to.handle.number().into(), address(&new), flags, 0]).map(|_| ())
    }

    fn list_from(&self, position: u64, emit: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<(), Errno> {
        let mut listing = self.listing.lock();
        let handle = match &mut *listing {
            Some(handle) => handle,
            slot => slot.insert(self.handle.open(b".", O_RDONLY | O_DIRECTORY, 0)?),
        };
        handle.call(nr::LSEEK, [position, 0, 0, 0, 0])?;
        let mut buffer = vec![0; 8 << 10];
        loop {
            let len = buffer.len() as u64;
            let n = handle.call(nr::GETDENTS64, [address_mut(&mut buffer), len, 0, 0, 0])? as usize;
            if n == 0 || !emit_entries(core::hint::black_box(&buffer).get(..n).ok_or(Errno::EIO)?, emit)? {
                return Ok(());
            }
        }
    }
}

/// Passes on the entries of one getdents64(2); `false` if `emit` wants no more.
fn emit_entries(mut bytes: &[u8], emit: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<bool, Errno> {
    let word = |bytes: &[u8], at: usize| bytes.get(at..at + 8).and_then(u64::from_prefix).ok_or(Errno::EIO);
    while !bytes.is_empty() {
        let (ino, next) = (word(bytes, 0)?, word(bytes, 8)?);
        let [low, high, kind] = *bytes.get(16..).and_then(|b| b.first_chunk()).ok_or(Errno::EIO)?;
        let len = usize::from(u16::from_le_bytes([low, high]));
        let name = bytes.get(DIRENT64_HEADER..len).ok_or(Errno::EIO)?;
        let end = name.iter().position(|b| *b == 0).ok_or(Errno::EIO)?;
        let kind = Kind::of_mode(u32::from(kind) << 12).unwrap_or(Kind::Regular);
        if !emit(&DirEntry { name: &name[..end], ino, kind, next }) {
            return Ok(false);
        }
        bytes = &bytes[len..];
    }
    Ok(true)
}

impl Inode for HostInode {
    fn attributes(&self) -> Result<Attributes, Errno> {
        attributes(&self.volume, &self.handle.stat()?)
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn open(self: Arc<Self>, flags: u32) -> Result<Arc<dyn File>, Errno> {
        let handle = match self.kind {
            Kind::Regular => self.reopen(flags & (O_ACCMODE | O_APPEND))?,
            Kind::Directory => self.reopen(O_RDONLY | O_DIRECTORY)?,
            Kind::Symlink => return Err(Errno::ELOOP),
            // Devices, FIFOs and sockets of the host are the host's.
            _ => return Err(Errno::ENXIO),
        };
        Ok(Arc::new(HostFile::new(handle, self, flags)))
    }

    fn read_only(&self) -> bool {
        self.volume.read_only
    }

    fn change(self: Arc<Self>, changes: &Changes) -> Result<(), Errno> {
        self.check_writable()?;
        if let Some(size) = changes.size {
            self.reopen(O_WRONLY)?.call(nr::FTRUNCATE, [size, 0, 0, 0, 0])?;
        }
        if let Some(mode) = changes.mode.filter(|_| self.kind != Kind::Symlink) {
            match self.kind {
                Kind::Directory => self.reopen(O_RDONLY | O_DIRECTORY)?.call(nr::FCHMOD, [mode.into(), 0, 0, 0, 0])?,
                _ => self.reopen(O_RDONLY)?.call(nr::FCHMOD, [mode.into(), 0, 0, 0, 0])?,
            };
        }
        if changes.uid.is_some() || changes.gid.is_some() {
            const EMPTY_PATH: u64 = 0x1000;
            let id = |id: Option<u32>| u64::from(id.unwrap_or(u32::MAX));
            self.handle.call_name(nr::FCHOWNAT, b"", [id(changes.uid), id(changes.gid), EMPTY_PATH])?;
        }
        if changes.atime.is_some() || changes.mtime.is_some() {
            self.set_times(changes)?;
        }
        Ok(())
    }

    fn lookup(self: Arc<Self>, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        if self.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let handle = self.handle.open(name, O_PATH | O_NOFOLLOW, 0)?;
        Ok(Self::new(self.volume, handle, Some(self), name, "")?)
    }

    fn parent(&self) -> Option<Arc<dyn Inode>> {
        let above = self.above()?;
        let top = crate::vfs::mount::top_of(self.volume.device);
        // The top is mounted by identity.
        let is_top = top.as_ref().is_some_and(|top| top.attributes().is_ok_and(|a| a.ino == above.ino));
        if is_top { top } else { Some(above) }
    }

    fn name(&self) -> Vec<u8> {
        self.current_name().unwrap_or_else(|_| self.name.clone())
    }

    fn removed(&self) -> bool {
        self.handle.stat().is_ok_and(|stat| stat.st_nlink == 0)
    }

    fn list(&self, position: u64, emit: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<(), Errno> {
        if self.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.list_from(position, emit)
    }

    fn create(self: Arc<Self>, name: &[u8], new: &NewNode<'_>) -> Result<Arc<dyn Inode>, Errno> {
        self.check_writable()?;
        self.make_node(name, new)?;
        self.lookup(name)
    }

    fn link(self: Arc<Self>, name: &[u8], target: &Arc<dyn Inode>) -> Result<(), Errno> {
        self.check_writable()?;
        let target = host_inode(target)?;
        let directory = target.parent.as_ref().ok_or(Errno::EXDEV)?;
        if target.volume != self.volume {
            return Err(Errno::EXDEV);
        }
        directory.call_names(nr::LINKAT, &target.name, &self, name, 0)
    }

    fn remove(self: Arc<Self>, name: &[u8], directory: bool) -> Result<(), Errno> {
        const REMOVEDIR: u64 = 0x200;
        self.check_writable()?;
        self.handle.call_name(nr::UNLINKAT, name, [if directory { REMOVEDIR } else { 0 }, 0, 0]).map(|_| ())
    }

    fn rename(self: Arc<Self>, old: &[u8], to: &Arc<dyn Inode>, new: &[u8], mode: RenameMode) -> Result<(), Errno> {
        self.check_writable()?;
        let to = host_inode(to)?;
        if to.volume != self.volume {
            return Err(Errno::EXDEV);
        }
        let flags = match mode {
            RenameMode::Replace => 0,
            RenameMode::NoReplace => 1,
            RenameMode::Exchange => 2,
        };
        self.call_names(nr::RENAMEAT2, old, &to, new, flags)
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        if self.kind != Kind::Symlink {
            return Err(Errno::EINVAL);
        }
        let mut target = vec![0; linux_abi::fs::PATH_MAX];
        let len = target.len() as u64;
        let n = self.handle.call_name(nr::READLINKAT, b"", [address_mut(&mut target), len, 0])? as usize;
        core::hint::black_box(&mut target).truncate(n);
        Ok(target)
    }

    fn stats(&self) -> Result<FsStats, Errno> {
        let mut stats = [Statfs::zeroed()];
        self.handle.call(nr::FSTATFS, [address_mut(&mut stats), 0, 0, 0, 0])?;
        let [stats] = core::hint::black_box(stats);
        let unit = (stats.f_bsize.max(1)) as u64;
        let blocks = |n: u64| (u128::from(n) * u128::from(unit) / 4096) as u64;
        Ok(FsStats {
            magic: stats.f_type as u64,
            blocks: blocks(stats.f_blocks),
            free: blocks(stats.f_bavail),
            files: stats.f_files,
            files_free: stats.f_ffree,
            read_only: self.volume.read_only,
        })
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl HostInode {
    /// The directory above a directory, which may have been moved since it was looked up; `None` at the top.
    fn above(&self) -> Option<Arc<Self>> {
        if !self.path.is_empty() {
            return None;
        }
        let handle = self.handle.open(b"..", O_PATH | O_DIRECTORY, 0).ok()?;
        Self::new(self.volume, handle, None, b"", "").ok()
    }

    /// The name by which a directory is found now.
    fn current_name(&self) -> Result<Vec<u8>, Errno> {
        let above = self.above().ok_or(Errno::ENOENT)?;
        let same = |stat: Stat| stat.st_ino == self.ino;
        if above.handle.open(&self.name, O_PATH | O_NOFOLLOW, 0).and_then(|h| h.stat()).is_ok_and(same) {
            return Ok(self.name.clone());
        }
        let mut found = Err(Errno::ENOENT);
        above.list_from(0, &mut |entry| {
            if entry.ino == self.ino && entry.name != b"." {
                found = Ok(entry.name.to_vec());
            }
            found.is_err()
        })?;
        found
    }

    fn set_times(&self, changes: &Changes) -> Result<(), Errno> {
        const OMIT: i64 = 0x3fff_fffe;
        const EMPTY_PATH: u64 = 0x1000;
        let time = |time: Option<Timestamp>| time.map_or([0, OMIT], |time| [time.sec, time.nsec.into()]);
        let times = [time(changes.atime), time(changes.mtime)];
        let set = self.handle.call_name(nr::UTIMENSAT, b"", [address(&times), EMPTY_PATH, 0]);
        // A machine without the call cannot set times; EPERM is what Linux says of files whose times may not be set.
        set.map(|_| ()).map_err(|e| if e == Errno::ENOSYS { Errno::EPERM } else { e })
    }
}
