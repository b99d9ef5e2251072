//! Extended attributes (xattr(7)).

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use linux_abi::Errno;
use linux_abi::fs::{AT_FDCWD, O_PATH};
use platform::UserAddr;

use super::arguments::{file, find, path};
use crate::machine::machine;
use crate::mem::{read_cstr, write_slice};
use crate::syscall::Call;
use crate::vfs::path::How;
use crate::vfs::{Inode, Kind, access};

type Result = core::result::Result<i64, Errno>;
type Target = core::result::Result<Arc<dyn Inode>, Errno>;

const XATTR_NAME_MAX: usize = 255;
const XATTR_SIZE_MAX: usize = 65536;

fn followed(call: &Call<'_>) -> Target {
    find(AT_FDCWD, &path(call.addr(0))?, How::FOLLOW)?.existing().cloned()
}

fn itself(call: &Call<'_>) -> Target {
    find(AT_FDCWD, &path(call.addr(0))?, How::NO_FOLLOW)?.existing().cloned()
}

fn opened(call: &Call<'_>) -> Target {
    let file = file(call.int(0))?;
    if file.flags() & O_PATH != 0 {
        return Err(Errno::EBADF);
    }
    file.place.as_ref().map(|place| place.inode.clone()).ok_or(Errno::EOPNOTSUPP)
}

fn name(at: UserAddr) -> core::result::Result<Vec<u8>, Errno> {
    let name =
        read_cstr(at, XATTR_NAME_MAX + 1).map_err(|e| if e == Errno::ENAMETOOLONG { Errno::ERANGE } else { e })?;
    if name.is_empty() { Err(Errno::ERANGE) } else { Ok(name) }
}

/// Whether the caller may touch attributes of this namespace.
fn check(inode: &dyn Inode, name: &[u8], wanted: u32) -> core::result::Result<(), Errno> {
    if name.starts_with(b"user.") {
        if !matches!(inode.kind(), Kind::Regular | Kind::Directory) {
            return Err(if wanted == access::READ { Errno::ENODATA } else { Errno::EPERM });
        }
        return access::check(inode, wanted);
    }
    let known = [&b"security."[..], b"system.posix_acl_", b"trusted."].iter().any(|prefix| name.starts_with(prefix));
    match (known, wanted) {
        (false, _) => Err(Errno::EOPNOTSUPP),
        (true, access::READ) => Ok(()),
        (true, _) => access::check_owner(&inode.attributes()?),
    }
}

/// Gives data to the application; a size of zero only asks how much there is.
fn give(data: &[u8], to: UserAddr, size: usize) -> Result {
    if size == 0 {
        return Ok(data.len() as i64);
    }
    if size < data.len() {
        return Err(Errno::ERANGE);
    }
    write_slice(to, data)?;
    Ok(data.len() as i64)
}

fn get(target: Target, call: &Call<'_>) -> Result {
    let (inode, name) = (target?, name(call.addr(1))?);
    check(&*inode, &name, access::READ)?;
    give(&inode.get_xattr(&name)?, call.addr(2), call.size(3))
}

fn set(target: Target, call: &Call<'_>) -> Result {
    const CREATE: u32 = 1;
    const REPLACE: u32 = 2;
    let flags = call.uint(4);
    if flags & !(CREATE | REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    if call.size(3) > XATTR_SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let (inode, name) = (target?, name(call.addr(1))?);
    check(&*inode, &name, access::WRITE)?;
    let mut value = vec![0; call.size(3)];
    machine().copy_from_user(call.addr(2), &mut value)?;
    inode.set_xattr(&name, &value, flags & CREATE != 0, flags & REPLACE != 0).map(|()| 0)
}

fn list(target: Target, call: &Call<'_>) -> Result {
    give(&target?.list_xattrs()?, call.addr(1), call.size(2))
}

fn remove(target: Target, call: &Call<'_>) -> Result {
    let (inode, name) = (target?, name(call.addr(1))?);
    check(&*inode, &name, access::WRITE)?;
    inode.remove_xattr(&name).map(|()| 0)
}

pub(super) fn getxattr(call: &mut Call<'_>) -> Result {
    get(followed(call), call)
}

pub(super) fn lgetxattr(call: &mut Call<'_>) -> Result {
    get(itself(call), call)
}

pub(super) fn fgetxattr(call: &mut Call<'_>) -> Result {
    get(opened(call), call)
}

pub(super) fn setxattr(call: &mut Call<'_>) -> Result {
    set(followed(call), call)
}

pub(super) fn lsetxattr(call: &mut Call<'_>) -> Result {
    set(itself(call), call)
}

pub(super) fn fsetxattr(call: &mut Call<'_>) -> Result {
    set(opened(call), call)
}

pub(super) fn listxattr(call: &mut Call<'_>) -> Result {
    list(followed(call), call)
}

pub(super) fn llistxattr(call: &mut Call<'_>) -> Result {
    list(itself(call), call)
}

pub(super) fn flistxattr(call: &mut Call<'_>) -> Result {
    list(opened(call), call)
}

pub(super) fn removexattr(call: &mut Call<'_>) -> Result {
    remove(followed(call), call)
}

pub(super) fn lremovexattr(call: &mut Call<'_>) -> Result {
    remove(itself(call), call)
}

pub(super) fn fremovexattr(call: &mut Call<'_>) -> Result {
    remove(opened(call), call)
}
