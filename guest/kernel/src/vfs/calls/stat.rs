//! What files are: stat(2), statx(2), statfs(2), access(2), readlink(2).

use alloc::sync::Arc;

use linux_abi::Errno;
use linux_abi::fs::{
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW, NAME_MAX,
    STATX_BASIC_AND_BTIME, Stat, Statfs, Statx, StatxTimestamp,
};
use platform::UserAddr;

use super::arguments::{Object, file, find, object, path};
use crate::mem::{Pod, write_value};
use crate::syscall::Call;
use crate::vfs::path::How;
use crate::vfs::{Attributes, Inode, Kind, Timestamp, access};

type Result = core::result::Result<i64, Errno>;

const BLOCK: u32 = 4096;

fn to_stat(a: &Attributes) -> Stat {
    Stat {
        st_dev: a.dev,
        st_ino: a.ino,
        st_nlink: a.nlink.into(),
        st_mode: a.kind.mode_bits() | a.mode,
        st_uid: a.uid,
        st_gid: a.gid,
        padding: 0,
        st_rdev: a.rdev,
        st_size: a.size as i64,
        st_blksize: BLOCK.into(),
        st_blocks: a.blocks as i64,
        st_atime: a.atime.sec,
        st_atime_nsec: a.atime.nsec.into(),
        st_mtime: a.mtime.sec,
        st_mtime_nsec: a.mtime.nsec.into(),
        st_ctime: a.ctime.sec,
        st_ctime_nsec: a.ctime.nsec.into(),
        unused: [0; 3],
    }
}

fn attributes(object: &Object) -> core::result::Result<Attributes, Errno> {
    match object {
        Object::Place(place) => place.inode.attributes(),
        Object::File(file) => file.attributes(),
    }
}

fn stat_path(fd: i32, at: UserAddr, to: UserAddr, flags: u32) -> Result {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let object = object(fd, at, flags, flags & AT_SYMLINK_NOFOLLOW == 0)?;
    write_value(to, &to_stat(&attributes(&object)?)).map(|()| 0)
}

pub(super) fn stat(call: &mut Call<'_>) -> Result {
    stat_path(AT_FDCWD, call.addr(0), call.addr(1), 0)
}

pub(super) fn lstat(call: &mut Call<'_>) -> Result {
    stat_path(AT_FDCWD, call.addr(0), call.addr(1), AT_SYMLINK_NOFOLLOW)
}

pub(super) fn newfstatat(call: &mut Call<'_>) -> Result {
    stat_path(call.int(0), call.addr(1), call.addr(2), call.uint(3))
}

pub(super) fn fstat(call: &mut Call<'_>) -> Result {
    let attributes = file(call.int(0))?.attributes()?;
    write_value(call.addr(1), &to_stat(&attributes)).map(|()| 0)
}

fn split_device(device: u64) -> (u32, u32) {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
    (major as u32, minor as u32)
}

fn to_statx(a: &Attributes) -> Statx {
    let time = |t: Timestamp| StatxTimestamp { tv_sec: t.sec, tv_nsec: t.nsec, reserved: 0 };
    let (rdev, dev) = (split_device(a.rdev), split_device(a.dev));
    Statx {
        stx_mask: STATX_BASIC_AND_BTIME,
        stx_blksize: BLOCK,
        stx_nlink: a.nlink,
        stx_uid: a.uid,
        stx_gid: a.gid,
        stx_mode: (a.kind.mode_bits() | a.mode) as u16,
        stx_ino: a.ino,
        stx_size: a.size,
        stx_blocks: a.blocks,
        stx_atime: time(a.atime),
        stx_btime: time(a.btime),
        stx_ctime: time(a.ctime),
        stx_mtime: time(a.mtime),
        stx_rdev_major: rdev.0,
        stx_rdev_minor: rdev.1,
        stx_dev_major: dev.0,
        stx_dev_minor: dev.1,
        ..Statx::zeroed()
    }
}

pub(super) fn statx(call: &mut Call<'_>) -> Result {
    const KNOWN: u32 = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    const STATX_RESERVED: u32 = 1 << 31;
    let flags = call.uint(2);
    if flags & !KNOWN != 0 || flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE || call.uint(3) & STATX_RESERVED != 0 {
        return Err(Errno::EINVAL);
    }
    let object = object(call.int(0), call.addr(1), flags, flags & AT_SYMLINK_NOFOLLOW == 0)?;
    write_value(call.addr(4), &to_statx(&attributes(&object)?)).map(|()| 0)
}

fn write_stats(inode: &Arc<dyn Inode>, to: UserAddr) -> Result {
    let stats = inode.stats()?;
    const ST_RDONLY: i64 = 1;
    const ST_VALID: i64 = 0x20;
    let statfs = Statfs {
        f_type: stats.magic as i64,
        f_bsize: BLOCK.into(),
        f_blocks: stats.blocks,
        f_bfree: stats.free,
        f_bavail: stats.free,
        f_files: stats.files,
        f_ffree: stats.files_free,
        f_namelen: NAME_MAX as i64,
        f_frsize: BLOCK.into(),
        f_flags: ST_VALID | if stats.read_only { ST_RDONLY } else { 0 },
        ..Statfs::zeroed()
    };
    write_value(to, &statfs).map(|()| 0)
}

pub(super) fn statfs(call: &mut Call<'_>) -> Result {
    let found = find(AT_FDCWD, &path(call.addr(0))?, How::FOLLOW)?;
    write_stats(found.existing()?, call.addr(1))
}

pub(super) fn fstatfs(call: &mut Call<'_>) -> Result {
    const PIPEFS: i64 = 0x5049_5045;
    let file = file(call.int(0))?;
    match &file.place {
        Some(place) => write_stats(&place.inode, call.addr(1)),
        None => {
            let statfs =
                Statfs { f_type: PIPEFS, f_bsize: BLOCK.into(), f_namelen: NAME_MAX as i64, ..Statfs::zeroed() };
            write_value(call.addr(1), &statfs).map(|()| 0)
        }
    }
}

fn may(fd: i32, at: UserAddr, mode: u32, flags: u32) -> Result {
    if mode & !7 != 0 || flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let object = object(fd, at, flags, flags & AT_SYMLINK_NOFOLLOW == 0)?;
    let Ok(inode) = object.inode() else { return Ok(0) };
    let special = !matches!(inode.kind(), Kind::Regular | Kind::Directory | Kind::Symlink);
    if mode & access::WRITE != 0 && inode.read_only() && !special {
        return Err(Errno::EROFS);
    }
    match flags & AT_EACCESS != 0 {
        true => access::check(&*inode, mode),
        false => access::check_real(&*inode, mode),
    }
    .map(|()| 0)
}

pub(super) fn access_(call: &mut Call<'_>) -> Result {
    may(AT_FDCWD, call.addr(0), call.uint(1), 0)
}

pub(super) fn faccessat(call: &mut Call<'_>) -> Result {
    may(call.int(0), call.addr(1), call.uint(2), 0)
}

pub(super) fn faccessat2(call: &mut Call<'_>) -> Result {
    may(call.int(0), call.addr(1), call.uint(2), call.uint(3))
}

fn read_link(fd: i32, at: UserAddr, to: UserAddr, size: i32) -> Result {
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    // An empty path means the descriptor's own link (readlinkat(2)).
    let target = match object(fd, at, AT_EMPTY_PATH, false)? {
        Object::Place(place) => place.inode.read_link(),
        Object::File(file) => file.place.as_ref().ok_or(Errno::ENOENT)?.inode.read_link(),
    }?;
    let len = target.len().min(size as usize);
    crate::mem::write_slice(to, &target[..len])?;
    Ok(len as i64)
}

pub(super) fn readlink(call: &mut Call<'_>) -> Result {
    if path(call.addr(0))?.is_empty() {
        return Err(Errno::ENOENT);
    }
    read_link(AT_FDCWD, call.addr(0), call.addr(1), call.int(2))
}

pub(super) fn readlinkat(call: &mut Call<'_>) -> Result {
    read_link(call.int(0), call.addr(1), call.addr(2), call.int(3))
}
