//! Changing attributes: chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2), umask(2).

use alloc::sync::Arc;

use linux_abi::Errno;
use linux_abi::fs::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, IN_ATTRIB, IN_MODIFY, O_PATH};
use platform::UserAddr;

use super::arguments::{Object, file, find, object, path};
use super::rw::check_size;
use crate::mem::read_value;
use crate::syscall::Call;
use crate::task::current;
use crate::vfs::path::How;
use crate::vfs::{Changes, Inode, Kind, Timestamp, access, inotify};

type Result = core::result::Result<i64, Errno>;

const NO_CHANGE: Changes = Changes { mode: None, uid: None, gid: None, size: None, atime: None, mtime: None };

/// Applies changes; to an object that no file system holds they do not matter.
fn apply(object: &Object, change: impl FnOnce(&Arc<dyn Inode>) -> core::result::Result<Changes, Errno>) -> Result {
    if let Object::File(file) = object
        && file.flags() & O_PATH != 0
        && file.place.is_none()
    {
        return Err(Errno::EBADF);
    }
    let Ok(inode) = object.inode() else { return Ok(0) };
    if inode.read_only() {
        return Err(Errno::EROFS);
    }
    let changes = change(&inode)?;
    inode.change(&changes)?;
    match object {
        Object::Place(place) => inotify::tell_place(place, IN_ATTRIB),
        Object::File(file) => file.tell(IN_ATTRIB),
    }
    Ok(0)
}

fn set_mode(object: &Object, mode: u32) -> Result {
    apply(object, |inode| {
        if inode.kind() == Kind::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        let attributes = inode.attributes()?;
        access::check_owner(&attributes)?;
        Ok(Changes { mode: Some(access::chmod_mode(&attributes, mode & 0o7777)), ..NO_CHANGE })
    })
}

/// A descriptor as an object; not one that is a path only.
fn open_object(fd: i32) -> core::result::Result<Object, Errno> {
    let file = file(fd)?;
    if file.flags() & O_PATH != 0 { Err(Errno::EBADF) } else { Ok(Object::File(file)) }
}

pub(super) fn chmod(call: &mut Call<'_>) -> Result {
    set_mode(&object(AT_FDCWD, call.addr(0), 0, true)?, call.uint(1))
}

pub(super) fn fchmod(call: &mut Call<'_>) -> Result {
    set_mode(&open_object(call.int(0))?, call.uint(1))
}

pub(super) fn fchmodat(call: &mut Call<'_>) -> Result {
    set_mode(&object(call.int(0), call.addr(1), 0, true)?, call.uint(2))
}

pub(super) fn fchmodat2(call: &mut Call<'_>) -> Result {
    let flags = call.uint(3);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    set_mode(&object(call.int(0), call.addr(1), flags, flags & AT_SYMLINK_NOFOLLOW == 0)?, call.uint(2))
}

fn set_owner(object: &Object, uid: u32, gid: u32) -> Result {
    const UNCHANGED: u32 = u32::MAX;
    let uid = (uid != UNCHANGED).then_some(uid);
    let gid = (gid != UNCHANGED).then_some(gid);
    apply(object, |inode| {
        let attributes = inode.attributes()?;
        access::check_chown(&attributes, uid, gid)?;
        // A new owner does not get the old one's set-id programs (chown(2)).
        let mode = (inode.kind() == Kind::Regular).then_some(match attributes.mode & 0o010 {
            0 => attributes.mode & !0o4000,
            _ => attributes.mode & !0o6000,
        });
        Ok(Changes { mode, uid, gid, ..NO_CHANGE })
    })
}

pub(super) fn chown(call: &mut Call<'_>) -> Result {
    set_owner(&object(AT_FDCWD, call.addr(0), 0, true)?, call.uint(1), call.uint(2))
}

pub(super) fn lchown(call: &mut Call<'_>) -> Result {
    set_owner(&object(AT_FDCWD, call.addr(0), 0, false)?, call.uint(1), call.uint(2))
}

pub(super) fn fchown(call: &mut Call<'_>) -> Result {
    set_owner(&open_object(call.int(0))?, call.uint(1), call.uint(2))
}

pub(super) fn fchownat(call: &mut Call<'_>) -> Result {
    let flags = call.uint(4);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let object = object(call.int(0), call.addr(1), flags, flags & AT_SYMLINK_NOFOLLOW == 0)?;
    set_owner(&object, call.uint(2), call.uint(3))
}

/// A time to set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NewTime {
    Now,
    Omit,
    At(Timestamp),
}

impl NewTime {
    fn value(self) -> Option<Timestamp> {
        match self {
            Self::Now => Some(Timestamp::now()),
            Self::Omit => None,
            Self::At(time) => Some(time),
        }
    }
}

fn set_times(object: &Object, times: [NewTime; 2]) -> Result {
    if times == [NewTime::Omit; 2] {
        return Ok(0);
    }
    apply(object, |inode| {
        let attributes = inode.attributes()?;
        let owner = access::check_owner(&attributes);
        match times {
            // Whoever may write may say that it happened now.
            [NewTime::Now, NewTime::Now] if owner.is_err() => access::check(&**inode, access::WRITE)?,
            _ => owner?,
        }
        Ok(Changes { atime: times[0].value(), mtime: times[1].value(), ..NO_CHANGE })
    })
}

pub(super) fn utimensat(call: &mut Call<'_>) -> Result {
    const UTIME_NOW: i64 = 0x3fff_ffff;
    const UTIME_OMIT: i64 = 0x3fff_fffe;
    let flags = call.uint(3);
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let decode = |[sec, nsec]: [i64; 2]| match nsec {
        UTIME_NOW => Ok(NewTime::Now),
        UTIME_OMIT => Ok(NewTime::Omit),
        0..1_000_000_000 => Ok(NewTime::At(Timestamp { sec, nsec: nsec as u32 })),
        _ => Err(Errno::EINVAL),
    };
    let times = match call.addr(2) {
        UserAddr::NULL => [NewTime::Now; 2],
        at => {
            let [access, change]: [[i64; 2]; 2] = read_value(at)?;
            [decode(access)?, decode(change)?]
        }
    };
    // A null path means the descriptor itself (futimens(3)).
    let object = match call.addr(1).is_null() {
        true => open_object(call.int(0))?,
        false => object(call.int(0), call.addr(1), flags, flags & AT_SYMLINK_NOFOLLOW == 0)?,
    };
    set_times(&object, times)
}

fn microseconds(at: UserAddr) -> core::result::Result<[NewTime; 2], Errno> {
    if at.is_null() {
        return Ok([NewTime::Now; 2]);
    }
    let times: [[i64; 2]; 2] = read_value(at)?;
    let decode = |[sec, micro]: [i64; 2]| match micro {
        0..1_000_000 => Ok(NewTime::At(Timestamp { sec, nsec: micro as u32 * 1000 })),
        _ => Err(Errno::EINVAL),
    };
    Ok([decode(times[0])?, decode(times[1])?])
}

pub(super) fn utimes(call: &mut Call<'_>) -> Result {
    let times = microseconds(call.addr(1))?;
    set_times(&object(AT_FDCWD, call.addr(0), 0, true)?, times)
}

pub(super) fn futimesat(call: &mut Call<'_>) -> Result {
    let times = microseconds(call.addr(2))?;
    set_times(&object(call.int(0), call.addr(1), 0, true)?, times)
}

pub(super) fn utime(call: &mut Call<'_>) -> Result {
    let times = match call.addr(1) {
        UserAddr::NULL => [NewTime::Now; 2],
        at => read_value::<[i64; 2]>(at)?.map(|sec| NewTime::At(Timestamp { sec, nsec: 0 })),
    };
    set_times(&object(AT_FDCWD, call.addr(0), 0, true)?, times)
}

fn length(value: u64) -> core::result::Result<Changes, Errno> {
    if (value as i64) < 0 { Err(Errno::EINVAL) } else { Ok(Changes { size: Some(value), ..NO_CHANGE }) }
}

pub(super) fn truncate(call: &mut Call<'_>) -> Result {
    let changes = length(call.args[1])?;
    let found = find(AT_FDCWD, &path(call.addr(0))?, How::FOLLOW)?;
    let inode = found.existing()?;
    match inode.kind() {
        Kind::Regular => {}
        Kind::Directory => return Err(Errno::EISDIR),
        _ => return Err(Errno::EINVAL),
    }
    if inode.read_only() {
        return Err(Errno::EROFS);
    }
    access::check(&**inode, access::WRITE)?;
    inode.clone().change(&changes)?;
    inotify::tell_place(&found.to_place()?, IN_MODIFY);
    Ok(0)
}

pub(super) fn ftruncate(call: &mut Call<'_>) -> Result {
    let changes = length(call.args[1])?;
    let file = file(call.int(0))?;
    file.check_writable().map_err(|_| Errno::EINVAL)?;
    let inode = file.place.as_ref().map(|place| place.inode.clone()).ok_or(Errno::EINVAL)?;
    if inode.kind() != Kind::Regular {
        return Err(Errno::EINVAL);
    }
    check_size(&file, call.args[1])?;
    inode.change(&changes)?;
    file.tell(IN_MODIFY);
    Ok(0)
}

pub(super) fn fallocate(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    let (offset, len) = (call.args[2] as i64, call.args[3] as i64);
    if offset < 0 || len <= 0 {
        return Err(Errno::EINVAL);
    }
    file.check_writable()?;
    check_size(&file, offset.checked_add(len).ok_or(Errno::EFBIG)? as u64)?;
    file.file.allocate(call.uint(1), offset as u64, len as u64).map(|()| 0)
}

pub(super) fn umask(call: &mut Call<'_>) -> Result {
    Ok(current().process.fs.set_umask(call.uint(0)).into())
}
