//! read(2), write(2) and their relatives; lseek(2).

use linux_abi::Errno;
use platform::UserAddr;

use super::arguments::{file, pieces, sink, source};
use crate::mem::{Sink, Source};
use crate::syscall::Call;
use crate::task::Resource;
use crate::vfs::{OpenFile, task_limit};

const RWF_HIPRI: u32 = 1;
const RWF_DSYNC: u32 = 2;
const RWF_SYNC: u32 = 4;
const RWF_NOWAIT: u32 = 8;
const RWF_APPEND: u32 = 16;
const SIGXFSZ: u32 = 25;

type Result = core::result::Result<i64, Errno>;

fn count(n: usize) -> i64 {
    n as i64
}

/// A file offset as the application gives it; `EINVAL` if it is negative.
fn offset(value: u64) -> core::result::Result<u64, Errno> {
    if (value as i64) < 0 { Err(Errno::EINVAL) } else { Ok(value) }
}

/// `RLIMIT_FSIZE`: what a write may at most reach; SIGXFSZ and `EFBIG` if nothing fits (setrlimit(2)).
pub(super) fn check_size(file: &OpenFile, end: u64) -> core::result::Result<(), Errno> {
    if !file.file.seekable() || end <= task_limit(Resource::FileSize) {
        return Ok(());
    }
    crate::task::send_signal(SIGXFSZ);
    Err(Errno::EFBIG)
}

pub(super) fn read(call: &mut Call<'_>) -> Result {
    let mut to = sink(call.addr(1), call.size(2))?;
    file(call.int(0))?.read(&mut to).map(count)
}

pub(super) fn write(call: &mut Call<'_>) -> Result {
    let mut from = source(call.addr(1), call.size(2))?;
    let file = file(call.int(0))?;
    write_to(&file, &mut from)
}

fn write_to(file: &OpenFile, from: &mut Source<'_>) -> Result {
    if file.file.seekable() && task_limit(Resource::FileSize) != u64::MAX {
        let at = *file.offset.lock();
        check_size(file, at.saturating_add(from.remaining() as u64))?;
    }
    file.write(from).map(count)
}

pub(super) fn pread64(call: &mut Call<'_>) -> Result {
    let mut to = sink(call.addr(1), call.size(2))?;
    file(call.int(0))?.read_at(&mut to, offset(call.args[3])?).map(count)
}

pub(super) fn pwrite64(call: &mut Call<'_>) -> Result {
    let mut from = source(call.addr(1), call.size(2))?;
    let (file, offset) = (file(call.int(0))?, offset(call.args[3])?);
    check_size(&file, offset.saturating_add(from.remaining() as u64))?;
    file.write_at(&mut from, offset).map(count)
}

fn vector_sink(at: UserAddr, n: usize) -> core::result::Result<Sink<'static>, Errno> {
    pieces(at, n).map(Sink::user_pieces)
}

fn vector_source(at: UserAddr, n: usize) -> core::result::Result<Source<'static>, Errno> {
    pieces(at, n).map(Source::user_pieces)
}

pub(super) fn readv(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    file.read(&mut vector_sink(call.addr(1), call.size(2))?).map(count)
}

pub(super) fn writev(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    write_to(&file, &mut vector_source(call.addr(1), call.size(2))?)
}

pub(super) fn preadv(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    file.read_at(&mut vector_sink(call.addr(1), call.size(2))?, offset(call.args[3])?).map(count)
}

pub(super) fn pwritev(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    let mut from = vector_source(call.addr(1), call.size(2))?;
    let offset = offset(call.args[3])?;
    check_size(&file, offset.saturating_add(from.remaining() as u64))?;
    file.write_at(&mut from, offset).map(count)
}

pub(super) fn preadv2(call: &mut Call<'_>) -> Result {
    let flags = call.uint(5);
    if flags & !(RWF_HIPRI | RWF_NOWAIT) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let file = file(call.int(0))?;
    let mut to = vector_sink(call.addr(1), call.size(2))?;
    if call.args[3] as i64 != -1 {
        return file.read_at(&mut to, offset(call.args[3])?).map(count);
    }
    if flags & RWF_NOWAIT != 0 && !file.file.seekable() {
        file.check_readable()?;
        return file.file.read(&mut to, 0).map(count);
    }
    file.read(&mut to).map(count)
}

pub(super) fn pwritev2(call: &mut Call<'_>) -> Result {
    let flags = call.uint(5);
    if flags & !(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let file = file(call.int(0))?;
    let mut from = vector_source(call.addr(1), call.size(2))?;
    if flags & RWF_APPEND != 0 && file.file.seekable() {
        file.check_writable()?;
        return file.file.append(&mut from).map(|(n, _)| count(n));
    }
    if call.args[3] as i64 == -1 {
        return write_to(&file, &mut from);
    }
    file.write_at(&mut from, offset(call.args[3])?).map(count)
}

pub(super) fn lseek(call: &mut Call<'_>) -> Result {
    const SEEK_SET: i32 = 0;
    const SEEK_CUR: i32 = 1;
    const SEEK_END: i32 = 2;
    const SEEK_DATA: i32 = 3;
    const SEEK_HOLE: i32 = 4;
    let file = file(call.int(0))?;
    let by = call.args[1] as i64;
    if !file.file.seekable() {
        return Err(Errno::ESPIPE);
    }
    let mut position = file.offset.lock();
    let target = match call.int(2) {
        SEEK_SET => by,
        SEEK_CUR => (*position as i64).checked_add(by).ok_or(Errno::EOVERFLOW)?,
        SEEK_END => (file.attributes()?.size as i64).checked_add(by).ok_or(Errno::EOVERFLOW)?,
        whence @ (SEEK_DATA | SEEK_HOLE) => {
            file.file.seek_data(u64::try_from(by).map_err(|_| Errno::ENXIO)?, whence == SEEK_DATA)? as i64
        }
        _ => return Err(Errno::EINVAL),
    };
    *position = u64::try_from(target).map_err(|_| Errno::EINVAL)?;
    Ok(target)
}
