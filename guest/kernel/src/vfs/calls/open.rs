//! open(2), openat2(2), creat(2).

use alloc::sync::Arc;

use linux_abi::Errno;
use linux_abi::fs::{
    AT_FDCWD, IN_MODIFY, IN_OPEN, O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_LARGEFILE, O_NOCTTY,
    O_NOFOLLOW, O_PATH, O_RDONLY, O_TMPFILE, O_TRUNC, O_WRONLY, RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use platform::UserAddr;

use super::arguments::{directory, install, path, start};
use super::names::{create_in, new_node};
use crate::mem::read_value;
use crate::syscall::Call;
use crate::task::current;
use crate::vfs::path::{Found, How, Last, walk};
use crate::vfs::{Changes, Inode, Kind, OpenFile, PathOnly, Place, access, inotify};

/// What to open: `struct open_how`.
#[derive(Clone, Copy)]
pub(crate) struct OpenHow {
    /// `O_*`.
    pub(crate) flags: u32,
    /// Permission bits of a new file.
    pub(crate) mode: u32,
    /// `RESOLVE_*`.
    pub(crate) resolve: u64,
}

const O_TMPFILE_BIT: u32 = O_TMPFILE & !O_DIRECTORY;
/// Flags that matter only while opening.
const MOMENTARY: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

pub(super) fn open(call: &mut Call<'_>) -> Result<i64, Errno> {
    let how = OpenHow { flags: call.uint(1), mode: call.uint(2), resolve: 0 };
    open_path(AT_FDCWD, call.addr(0), how)
}

pub(super) fn creat(call: &mut Call<'_>) -> Result<i64, Errno> {
    let how = OpenHow { flags: O_CREAT | O_WRONLY | O_TRUNC, mode: call.uint(1), resolve: 0 };
    open_path(AT_FDCWD, call.addr(0), how)
}

pub(super) fn openat(call: &mut Call<'_>) -> Result<i64, Errno> {
    let how = OpenHow { flags: call.uint(2), mode: call.uint(3), resolve: 0 };
    open_path(call.int(0), call.addr(1), how)
}

pub(super) fn openat2(call: &mut Call<'_>) -> Result<i64, Errno> {
    const KNOWN: u64 =
        RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT;
    if call.size(3) < 24 {
        return Err(Errno::EINVAL);
    }
    if call.size(3) > 24 {
        return Err(Errno::E2BIG);
    }
    let [flags, mode, resolve]: [u64; 3] = read_value(call.addr(2))?;
    if resolve & RESOLVE_CACHED != 0 {
        return Err(Errno::EAGAIN);
    }
    let flags = u32::try_from(flags).map_err(|_| Errno::EINVAL)?;
    let makes = flags & (O_CREAT | O_TMPFILE_BIT) != 0;
    let confined_twice = resolve & RESOLVE_BENEATH != 0 && resolve & RESOLVE_IN_ROOT != 0;
    if resolve & !KNOWN != 0 || confined_twice || mode > 0o7777 || (mode != 0 && !makes) {
        return Err(Errno::EINVAL);
    }
    open_path(call.int(0), call.addr(1), OpenHow { flags, mode: mode as u32, resolve })
}

fn open_path(fd: i32, at: UserAddr, how: OpenHow) -> Result<i64, Errno> {
    let path = path(at)?;
    let confined = how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0;
    let start = if confined { directory(fd)? } else { start(fd, &path)? };
    let file = open_at(start, &path, how)?;
    install(file, how.flags & O_CLOEXEC != 0)
}

/// Opens what `path` from `start` leads to.
pub(crate) fn open_at(start: Arc<dyn Inode>, path: &[u8], mut how: OpenHow) -> Result<Arc<OpenFile>, Errno> {
    if how.flags & O_PATH != 0 {
        how.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    }
    if how.flags & O_TMPFILE_BIT != 0 {
        return open_unnamed(start, path, how);
    }
    let exclusive = how.flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL;
    let follow = how.flags & O_NOFOLLOW == 0 && !exclusive;
    let found = walk(start, path, How { follow, resolve: how.resolve })?;
    if let Some(description) = &found.description {
        return reopen(description, how);
    }
    match &found.inode {
        Some(_) if exclusive => Err(Errno::EEXIST),
        Some(inode) => open_existing(&found, inode, how),
        None => open_new(&found, how),
    }
}

/// An object outside all file systems, reached through /proc/self/fd: the same object again.
fn reopen(description: &Arc<OpenFile>, how: OpenHow) -> Result<Arc<OpenFile>, Errno> {
    if how.flags & O_DIRECTORY != 0 {
        return Err(Errno::ENOTDIR);
    }
    if description.attributes()?.kind == Kind::Socket {
        return Err(Errno::ENXIO);
    }
    Ok(OpenFile::new(description.file.clone(), how.flags & !MOMENTARY))
}

fn open_new(found: &Found, how: OpenHow) -> Result<Arc<OpenFile>, Errno> {
    if how.flags & O_CREAT == 0 {
        return Err(Errno::ENOENT);
    }
    if found.slash || found.last != Last::Name {
        return Err(Errno::EISDIR);
    }
    let inode = match create_in(found, Kind::Regular, how.mode, 0, b"") {
        // Another thread was faster.
        Err(Errno::EEXIST) if how.flags & O_EXCL == 0 => {
            let inode = found.parent.clone().lookup(&found.name)?;
            return open_existing(found, &inode, how);
        }
        result => result?,
    };
    finish(Place { inode, parent: Some(found.parent.clone()), name: found.name.as_slice().into() }, how)
}

fn open_existing(found: &Found, inode: &Arc<dyn Inode>, how: OpenHow) -> Result<Arc<OpenFile>, Errno> {
    let kind = inode.kind();
    let place = Place {
        inode: inode.clone(),
        parent: (kind != Kind::Directory).then(|| found.parent.clone()),
        name: found.name.as_slice().into(),
    };
    if how.flags & O_DIRECTORY != 0 && kind != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    if how.flags & O_PATH != 0 {
        return Ok(OpenFile::at(place, Arc::new(PathOnly), how.flags & !O_CLOEXEC));
    }
    let writes = how.flags & O_ACCMODE != O_RDONLY;
    match kind {
        Kind::Symlink => return Err(Errno::ELOOP),
        Kind::Directory if writes || how.flags & O_CREAT != 0 => return Err(Errno::EISDIR),
        Kind::Regular if (writes || how.flags & O_TRUNC != 0) && inode.read_only() => return Err(Errno::EROFS),
        Kind::Regular if found.slash => return Err(Errno::ENOTDIR),
        _ => {}
    }
    access::check(&**inode, wanted(how.flags))?;
    if how.flags & O_TRUNC != 0 && kind == Kind::Regular {
        inode.clone().change(&Changes { size: Some(0), ..Changes::default() })?;
        inotify::tell_place(&place, IN_MODIFY);
    }
    finish(place, how)
}

/// The permissions that an access mode needs; 3 (for ioctl only) needs both.
fn wanted(flags: u32) -> u32 {
    let write = if flags & O_TRUNC != 0 { access::WRITE } else { 0 };
    write
        | match flags & O_ACCMODE {
            O_RDONLY => access::READ,
            O_WRONLY => access::WRITE,
            _ => access::READ | access::WRITE,
        }
}

fn open_unnamed(start: Arc<dyn Inode>, path: &[u8], how: OpenHow) -> Result<Arc<OpenFile>, Errno> {
    if how.flags & O_DIRECTORY == 0 || how.flags & O_ACCMODE == O_RDONLY {
        return Err(Errno::EINVAL);
    }
    let found = walk(start, path, How { follow: true, resolve: how.resolve })?;
    let directory = found.existing()?;
    if directory.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    access::check(&**directory, access::WRITE | access::EXECUTE)?;
    let mode = how.mode & !current().process.fs.umask();
    let inode = directory.clone().create_unnamed(&new_node(&**directory, Kind::Regular, mode, 0, b"")?)?;
    let name = alloc::format!("#{}", inode.attributes()?.ino);
    finish(Place { inode, parent: Some(directory.clone()), name: name.as_bytes().into() }, how)
}

fn finish(place: Place, how: OpenHow) -> Result<Arc<OpenFile>, Errno> {
    let flags = (how.flags & !MOMENTARY) | O_LARGEFILE;
    let file = place.inode.clone().open(flags)?;
    inotify::tell_place(&place, IN_OPEN);
    Ok(OpenFile::at(place, file, flags))
}
