//! Making, removing and moving names: mkdir(2), mknod(2), link(2), symlink(2), unlink(2), rmdir(2), rename(2).

use alloc::sync::Arc;

use linux_abi::Errno;
use linux_abi::fs::{
    AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_ISDIR,
    IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO,
};
use platform::UserAddr;

use super::arguments::{entry, new_entry, object, path};
use crate::syscall::Call;
use crate::task::current;
use crate::vfs::path::{Found, Last};
use crate::vfs::{Inode, Kind, NewNode, RenameMode, access, inotify, mount};

const S_ISGID: u32 = 0o2000;

type Result = core::result::Result<i64, Errno>;

/// A node with the caller as owner; in a set-group-id directory the group is the directory's.
pub(super) fn new_node<'a>(
    directory: &dyn Inode,
    kind: Kind,
    mode: u32,
    rdev: u64,
    target: &'a [u8],
) -> core::result::Result<NewNode<'a>, Errno> {
    let parent = directory.attributes()?;
    let (uid, gid) = access::owner();
    let inherit = parent.mode & S_ISGID != 0;
    let mode = if inherit && kind == Kind::Directory { mode | S_ISGID } else { mode };
    Ok(NewNode { kind, mode, uid, gid: if inherit { parent.gid } else { gid }, rdev, target })
}

/// Events about directories say so.
fn directory_bit(kind: Kind) -> u32 {
    if kind == Kind::Directory { IN_ISDIR } else { 0 }
}

/// Makes an entry that `found` says does not exist.
pub(crate) fn create_in(
    found: &Found,
    kind: Kind,
    mode: u32,
    rdev: u64,
    target: &[u8],
) -> core::result::Result<Arc<dyn Inode>, Errno> {
    if found.parent.read_only() {
        return Err(Errno::EROFS);
    }
    access::check(&*found.parent, access::WRITE | access::EXECUTE)?;
    let umask = if kind == Kind::Symlink { 0 } else { current().process.fs.umask() };
    let new = new_node(&*found.parent, kind, mode & 0o7777 & !umask, rdev, target)?;
    let inode = found.parent.clone().create(&found.name, &new)?;
    inotify::tell(&*found.parent, &found.name, IN_CREATE | directory_bit(kind), 0);
    Ok(inode)
}

fn make_directory(fd: i32, at: UserAddr, mode: u32) -> Result {
    create_in(&new_entry(fd, at)?, Kind::Directory, mode & 0o1777, 0, b"").map(|_| 0)
}

pub(super) fn mkdir(call: &mut Call<'_>) -> Result {
    make_directory(AT_FDCWD, call.addr(0), call.uint(1))
}

pub(super) fn mkdirat(call: &mut Call<'_>) -> Result {
    make_directory(call.int(0), call.addr(1), call.uint(2))
}

fn make_node(fd: i32, at: UserAddr, mode: u32, rdev: u64) -> Result {
    let kind = if mode >> 12 == 0 { Kind::Regular } else { Kind::of_mode(mode).ok_or(Errno::EINVAL)? };
    match kind {
        Kind::Directory => return Err(Errno::EPERM),
        Kind::Symlink => return Err(Errno::EINVAL),
        _ => {}
    }
    let found = new_entry(fd, at)?;
    if found.slash {
        return Err(Errno::ENOENT);
    }
    create_in(&found, kind, mode, rdev & 0xffff_ffff, b"").map(|_| 0)
}

pub(super) fn mknod(call: &mut Call<'_>) -> Result {
    make_node(AT_FDCWD, call.addr(0), call.uint(1), call.args[2])
}

pub(super) fn mknodat(call: &mut Call<'_>) -> Result {
    make_node(call.int(0), call.addr(1), call.uint(2), call.args[3])
}

fn make_symlink(target: UserAddr, fd: i32, at: UserAddr) -> Result {
    let target = path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let found = new_entry(fd, at)?;
    if found.slash {
        return Err(Errno::ENOENT);
    }
    create_in(&found, Kind::Symlink, 0o777, 0, &target).map(|_| 0)
}

pub(super) fn symlink(call: &mut Call<'_>) -> Result {
    make_symlink(call.addr(0), AT_FDCWD, call.addr(1))
}

pub(super) fn symlinkat(call: &mut Call<'_>) -> Result {
    make_symlink(call.addr(0), call.int(1), call.addr(2))
}

fn make_link(old: (i32, UserAddr), new: (i32, UserAddr), flags: u32) -> Result {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let target = object(old.0, old.1, flags, flags & AT_SYMLINK_FOLLOW != 0)?.inode()?;
    let found = new_entry(new.0, new.1)?;
    if target.kind() == Kind::Directory {
        return Err(Errno::EPERM);
    }
    if found.slash {
        return Err(Errno::ENOENT);
    }
    if target.attributes()?.dev != found.parent.attributes()?.dev {
        return Err(Errno::EXDEV);
    }
    check_change(&found)?;
    found.parent.clone().link(&found.name, &target)?;
    inotify::tell(&*found.parent, &found.name, IN_CREATE, 0);
    Ok(0)
}

pub(super) fn link(call: &mut Call<'_>) -> Result {
    make_link((AT_FDCWD, call.addr(0)), (AT_FDCWD, call.addr(1)), 0)
}

pub(super) fn linkat(call: &mut Call<'_>) -> Result {
    make_link((call.int(0), call.addr(1)), (call.int(2), call.addr(3)), call.uint(4))
}

/// Whether the caller may change the names of the directory.
fn check_change(found: &Found) -> core::result::Result<(), Errno> {
    if found.parent.read_only() {
        return Err(Errno::EROFS);
    }
    access::check(&*found.parent, access::WRITE | access::EXECUTE)
}

/// Whether the caller may take this entry away.
fn check_removal(found: &Found, inode: &Arc<dyn Inode>) -> core::result::Result<(), Errno> {
    check_change(found)?;
    access::check_sticky(&*found.parent, &**inode)?;
    if mount::is_busy(inode) { Err(Errno::EBUSY) } else { Ok(()) }
}

fn remove(fd: i32, at: UserAddr, directory: bool) -> Result {
    let found = entry(fd, at)?;
    match (found.last, directory) {
        (Last::Name, _) => {}
        (_, false) => return Err(Errno::EISDIR),
        (Last::Dot, true) if mount::same(&found.parent, &mount::root()) => return Err(Errno::EBUSY),
        (Last::Dot, true) => return Err(Errno::EINVAL),
        (Last::DotDot, true) => return Err(Errno::ENOTEMPTY),
    }
    let inode = found.existing()?;
    check_removal(&found, inode)?;
    found.parent.clone().remove(&found.name, directory)?;
    inotify::tell(&*found.parent, &found.name, IN_DELETE | directory_bit(inode.kind()), 0);
    if inode.removed() {
        inotify::tell(&**inode, b"", IN_DELETE_SELF, 0);
    }
    Ok(0)
}

pub(super) fn unlink(call: &mut Call<'_>) -> Result {
    remove(AT_FDCWD, call.addr(0), false)
}

pub(super) fn rmdir(call: &mut Call<'_>) -> Result {
    remove(AT_FDCWD, call.addr(0), true)
}

pub(super) fn unlinkat(call: &mut Call<'_>) -> Result {
    if call.uint(2) & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL);
    }
    remove(call.int(0), call.addr(1), call.uint(2) & AT_REMOVEDIR != 0)
}

fn move_entry(old: (i32, UserAddr), new: (i32, UserAddr), flags: u32) -> Result {
    let mode = match flags {
        0 => RenameMode::Replace,
        1 => RenameMode::NoReplace,
        2 => RenameMode::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    let (from, to) = (entry(old.0, old.1)?, entry(new.0, new.1)?);
    if from.last != Last::Name || to.last != Last::Name {
        return Err(if mode == RenameMode::NoReplace { Errno::EEXIST } else { Errno::EBUSY });
    }
    let moved = from.existing()?;
    if moved.kind() != Kind::Directory && (from.slash || to.slash) {
        return Err(Errno::ENOTDIR);
    }
    check_removal(&from, moved)?;
    check_change(&to)?;
    if let Some(target) = &to.inode {
        check_removal(&to, target)?;
    }
    if from.parent.attributes()?.dev != to.parent.attributes()?.dev {
        return Err(Errno::EXDEV);
    }
    from.parent.clone().rename(&from.name, &to.parent, &to.name, mode)?;
    let (cookie, bit) = (inotify::cookie(), directory_bit(moved.kind()));
    inotify::tell(&*from.parent, &from.name, IN_MOVED_FROM | bit, cookie);
    inotify::tell(&*to.parent, &to.name, IN_MOVED_TO | bit, cookie);
    inotify::tell(&**moved, b"", IN_MOVE_SELF, 0);
    Ok(0)
}

pub(super) fn rename(call: &mut Call<'_>) -> Result {
    move_entry((AT_FDCWD, call.addr(0)), (AT_FDCWD, call.addr(1)), 0)
}

pub(super) fn renameat(call: &mut Call<'_>) -> Result {
    move_entry((call.int(0), call.addr(1)), (call.int(2), call.addr(3)), 0)
}

pub(super) fn renameat2(call: &mut Call<'_>) -> Result {
    move_entry((call.int(0), call.addr(1)), (call.int(2), call.addr(3)), call.uint(4))
}
