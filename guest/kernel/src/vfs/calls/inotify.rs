//! inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).

use linux_abi::Errno;
use linux_abi::fs::{
    AT_FDCWD, IN_ALL_EVENTS, IN_DONT_FOLLOW, IN_MASK_ADD, IN_MASK_CREATE, IN_ONLYDIR, O_CLOEXEC, O_NONBLOCK, O_RDONLY,
};

use super::arguments::{file, find, install, path};
use crate::syscall::Call;
use crate::vfs::inotify::Inotify;
use crate::vfs::path::How;
use crate::vfs::{Kind, OpenFile, access};

type Result = core::result::Result<i64, Errno>;

fn make(flags: u32) -> Result {
    if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    install(OpenFile::new(Inotify::new(), O_RDONLY | (flags & O_NONBLOCK)), flags & O_CLOEXEC != 0)
}

pub(super) fn init(_call: &mut Call<'_>) -> Result {
    make(0)
}

pub(super) fn init1(call: &mut Call<'_>) -> Result {
    make(call.uint(0))
}

fn instance(file: &OpenFile) -> core::result::Result<&Inotify, Errno> {
    file.file.as_any().downcast_ref().ok_or(Errno::EINVAL)
}

pub(super) fn add_watch(call: &mut Call<'_>) -> Result {
    let mask = call.uint(2);
    if mask & IN_ALL_EVENTS == 0 || mask & (IN_MASK_ADD | IN_MASK_CREATE) == IN_MASK_ADD | IN_MASK_CREATE {
        return Err(Errno::EINVAL);
    }
    let file = file(call.int(0))?;
    let instance = instance(&file)?;
    let found = find(AT_FDCWD, &path(call.addr(1))?, How { follow: mask & IN_DONT_FOLLOW == 0, resolve: 0 })?;
    let inode = found.existing()?;
    if mask & IN_ONLYDIR != 0 && inode.kind() != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    access::check(&**inode, access::READ)?;
    instance.watch(inode, mask).map(i64::from)
}

pub(super) fn rm_watch(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    instance(&file)?.unwatch(call.int(1)).map(|()| 0)
}
