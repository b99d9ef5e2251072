//! fsync(2) and its relatives, advice, flock(2).

use linux_abi::Errno;
use linux_abi::fs::{LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, O_PATH};

use super::arguments::file;
use crate::syscall::Call;
use crate::vfs::lock;

type Result = core::result::Result<i64, Errno>;

pub(super) fn fsync(call: &mut Call<'_>) -> Result {
    file(call.int(0))?.file.sync(false).map(|()| 0)
}

pub(super) fn fdatasync(call: &mut Call<'_>) -> Result {
    file(call.int(0))?.file.sync(true).map(|()| 0)
}

pub(super) fn sync_file_range(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    if file.file.seekable() { file.file.sync(true).map(|()| 0) } else { Err(Errno::ESPIPE) }
}

pub(super) fn sync(_call: &mut Call<'_>) -> Result {
    Ok(0)
}

pub(super) fn syncfs(call: &mut Call<'_>) -> Result {
    file(call.int(0)).map(|_| 0)
}

/// posix_fadvise(2) and readahead(2): the image is mapped and the rest is in memory, so there is nothing to prepare.
pub(super) fn advise(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    if file.flags() & O_PATH != 0 {
        return Err(Errno::EBADF);
    }
    if file.file.seekable() { Ok(0) } else { Err(Errno::ESPIPE) }
}

pub(super) fn flock(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    if file.flags() & O_PATH != 0 {
        return Err(Errno::EBADF);
    }
    let wait = call.int(1) & LOCK_NB == 0;
    match call.int(1) & !LOCK_NB {
        LOCK_SH => lock::flock(&file, Some(false), wait),
        LOCK_EX => lock::flock(&file, Some(true), wait),
        LOCK_UN => lock::flock(&file, None, wait),
        _ => Err(Errno::EINVAL),
    }
    .map(|()| 0)
}
