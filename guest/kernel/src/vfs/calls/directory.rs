//! Directories: getdents64(2), chdir(2), getcwd(2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;
use linux_abi::fs::{AT_FDCWD, DIRENT64_HEADER};

use super::arguments::{file, find, path};
use crate::mem::write_slice;
use crate::syscall::Call;
use crate::task::current;
use crate::vfs::path::How;
use crate::vfs::{DirEntry, Inode, Kind, access, mount};

type Result = core::result::Result<i64, Errno>;

/// As much as one call gives at most.
const MAX_LISTING: usize = 64 << 10;

/// Appends one `struct linux_dirent64`; `false` if it does not fit.
fn put_entry64(out: &mut Vec<u8>, limit: usize, entry: &DirEntry<'_>) -> bool {
    let len = (DIRENT64_HEADER + entry.name.len() + 1).next_multiple_of(8);
    if out.len() + len > limit {
        return false;
    }
    let end = out.len() + len;
    out.extend_from_slice(&entry.ino.to_le_bytes());
    out.extend_from_slice(&entry.next.to_le_bytes());
    out.extend_from_slice(&(len as u16).to_le_bytes());
    out.push(entry.kind as u8);
    out.extend_from_slice(entry.name);
    out.resize(end, 0);
    true
}

/// Appends one `struct linux_dirent`: the type is its last byte.
fn put_entry(out: &mut Vec<u8>, limit: usize, entry: &DirEntry<'_>) -> bool {
    let len = (18 + entry.name.len() + 2).next_multiple_of(8);
    if out.len() + len > limit {
        return false;
    }
    let end = out.len() + len;
    out.extend_from_slice(&entry.ino.to_le_bytes());
    out.extend_from_slice(&entry.next.to_le_bytes());
    out.extend_from_slice(&(len as u16).to_le_bytes());
    out.extend_from_slice(entry.name);
    out.resize(end - 1, 0);
    out.push(entry.kind as u8);
    true
}

fn list(call: &Call<'_>, put: fn(&mut Vec<u8>, usize, &DirEntry<'_>) -> bool) -> Result {
    let file = file(call.int(0))?;
    file.check_readable()?;
    let inode = &file.place.as_ref().ok_or(Errno::ENOTDIR)?.inode;
    if inode.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    if inode.removed() {
        return Err(Errno::ENOENT);
    }
    let limit = (call.uint(2) as usize).min(MAX_LISTING);
    let mut out = Vec::new();
    let mut position = file.offset.lock();
    let (mut next, mut full) = (*position, false);
    inode.list(*position, &mut |entry| {
        full = !put(&mut out, limit, entry);
        if !full {
            next = entry.next;
        }
        !full
    })?;
    if out.is_empty() && full {
        return Err(Errno::EINVAL);
    }
    write_slice(call.addr(1), &out)?;
    *position = next;
    Ok(out.len() as i64)
}

pub(super) fn getdents64(call: &mut Call<'_>) -> Result {
    list(call, put_entry64)
}

pub(super) fn getdents(call: &mut Call<'_>) -> Result {
    list(call, put_entry)
}

fn change_to(inode: &Arc<dyn Inode>) -> Result {
    if inode.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    access::check(&**inode, access::EXECUTE)?;
    current().process.fs.set_cwd(inode.clone());
    Ok(0)
}

pub(super) fn chdir(call: &mut Call<'_>) -> Result {
    let found = find(AT_FDCWD, &path(call.addr(0))?, How::FOLLOW)?;
    change_to(found.existing()?)
}

pub(super) fn fchdir(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    change_to(&file.place.as_ref().ok_or(Errno::ENOTDIR)?.inode)
}

pub(super) fn getcwd(call: &mut Call<'_>) -> Result {
    let mut path = mount::path_of(&current().process.fs.cwd()).ok_or(Errno::ENOENT)?;
    path.push(0);
    if path.len() > call.size(1) {
        return Err(Errno::ERANGE);
    }
    write_slice(call.addr(0), &path)?;
    Ok(path.len() as i64)
}

/// chroot(2), mount(2), pivot_root(2) and the like: the instance has one root and the mounts that it was started with.
pub(super) fn not_permitted(_call: &mut Call<'_>) -> Result {
    Err(Errno::EPERM)
}
