//! Descriptors: close(2), dup(2), fcntl(2), ioctl(2), pipe(2), close_range(2).

use core::sync::atomic::Ordering;

use linux_abi::Errno;
use linux_abi::fs::{
    F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GET_SEALS, F_GETFD, F_GETFL, F_GETLK, F_GETOWN, F_GETPIPE_SZ, F_OFD_GETLK,
    F_OFD_SETLK, F_OFD_SETLKW, F_SEAL_SEAL, F_SETFD, F_SETFL, F_SETLK, F_SETLKW, F_SETOWN, F_SETPIPE_SZ, FASYNC,
    FD_CLOEXEC, O_APPEND, O_CLOEXEC, O_DIRECT, O_NOATIME, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY,
};
use platform::UserAddr;

use super::arguments::file;
use crate::mem::{read_value, write_value};
use crate::syscall::Call;
use crate::task::current;
use crate::vfs::pipe::{self, End};
use crate::vfs::tree::Node;
use crate::vfs::{OpenFile, ioctl as request, lock};

type Result = core::result::Result<i64, Errno>;

pub(super) fn close(call: &mut Call<'_>) -> Result {
    current().process.files.close(call.int(0)).map(|()| 0)
}

pub(super) fn close_range(call: &mut Call<'_>) -> Result {
    const UNSHARE: u32 = 2;
    const CLOEXEC: u32 = 4;
    let (first, last, flags) = (call.uint(0), call.uint(1), call.uint(2));
    if first > last || flags & !(UNSHARE | CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    match flags & CLOEXEC != 0 {
        true => current().process.files.mark_range(first, last),
        false => current().process.files.close_range(first, last),
    }
    Ok(0)
}

pub(super) fn dup(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    current().process.files.insert(file, false, 0).map(i64::from)
}

fn duplicate_to(old: i32, new: i32, close_on_exec: bool) -> Result {
    let file = file(old)?;
    current().process.files.replace(new, file, close_on_exec)?;
    Ok(new.into())
}

pub(super) fn dup2(call: &mut Call<'_>) -> Result {
    let (old, new) = (call.int(0), call.int(1));
    if old == new {
        return file(old).map(|_| new.into());
    }
    duplicate_to(old, new, false)
}

pub(super) fn dup3(call: &mut Call<'_>) -> Result {
    let flags = call.uint(2);
    if flags & !O_CLOEXEC != 0 || call.int(0) == call.int(1) {
        return Err(Errno::EINVAL);
    }
    duplicate_to(call.int(0), call.int(1), flags & O_CLOEXEC != 0)
}

fn duplicate_from(file: alloc::sync::Arc<OpenFile>, min: i32, close_on_exec: bool) -> Result {
    let files = &current().process.files;
    if min < 0 || min as u64 >= files.limit() {
        return Err(Errno::EINVAL);
    }
    files.insert(file, close_on_exec, min).map(i64::from)
}

/// The flags that F_SETFL changes.
const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC;

fn set_flags(file: &OpenFile, wanted: u32) {
    let flags = (file.flags() & !CHANGEABLE) | (wanted & CHANGEABLE);
    file.flags.store(flags, Ordering::Relaxed);
    file.file.flags_changed(flags);
}

pub(super) fn fcntl(call: &mut Call<'_>) -> Result {
    let (fd, command) = (call.int(0), call.int(1));
    let file = file(fd)?;
    let files = &current().process.files;
    let path_only = file.flags() & O_PATH != 0;
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => duplicate_from(file, call.int(2), command == F_DUPFD_CLOEXEC),
        F_GETFD => Ok(if files.is_close_on_exec(fd)? { FD_CLOEXEC.into() } else { 0 }),
        F_SETFD => files.set_close_on_exec(fd, call.uint(2) & FD_CLOEXEC != 0).map(|()| 0),
        F_GETFL => Ok(file.flags().into()),
        _ if path_only => Err(Errno::EBADF),
        F_SETFL => {
            set_flags(&file, call.uint(2));
            Ok(0)
        }
        F_GETLK | F_OFD_GETLK => lock::get(&file, call.addr(2), command == F_OFD_GETLK),
        F_SETLK | F_SETLKW => lock::set(&file, call.addr(2), false, command == F_SETLKW),
        F_OFD_SETLK | F_OFD_SETLKW => lock::set(&file, call.addr(2), true, command == F_OFD_SETLKW),
        F_GETPIPE_SZ => Ok(end(&file)?.capacity() as i64),
        F_SETPIPE_SZ => end(&file)?.set_capacity(call.uint(2) as usize).map(|n| n as i64),
        F_ADD_SEALS => add_seals(&file, call.uint(2)),
        F_GET_SEALS => memory_file(&file).map(|node| node.seals().into()),
        // Nobody is signalled; the owner is remembered by nobody either.
        F_SETOWN => Ok(0),
        F_GETOWN => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

fn end(file: &OpenFile) -> core::result::Result<&End, Errno> {
    file.file.as_any().downcast_ref::<End>().ok_or(Errno::EBADF)
}

fn memory_file(file: &OpenFile) -> core::result::Result<&Node, Errno> {
    file.file.as_any().downcast_ref::<Node>().filter(|node| node.is_sealable()).ok_or(Errno::EINVAL)
}

fn add_seals(file: &OpenFile, seals: u32) -> Result {
    let node = memory_file(file)?;
    file.check_writable().map_err(|_| Errno::EPERM)?;
    if seals & !0x1f != 0 {
        return Err(Errno::EINVAL);
    }
    if node.seals() & F_SEAL_SEAL != 0 {
        return Err(Errno::EPERM);
    }
    node.add_seals(seals);
    Ok(0)
}

pub(super) fn ioctl(call: &mut Call<'_>) -> Result {
    let (fd, request) = (call.int(0), call.uint(1));
    let file = file(fd)?;
    if file.flags() & O_PATH != 0 {
        return Err(Errno::EBADF);
    }
    match request {
        request::FIOCLEX => current().process.files.set_close_on_exec(fd, true).map(|()| 0),
        request::FIONCLEX => current().process.files.set_close_on_exec(fd, false).map(|()| 0),
        request::FIONBIO => {
            let on = read_value::<i32>(call.addr(2))? != 0;
            set_flags(&file, if on { file.flags() | O_NONBLOCK } else { file.flags() & !O_NONBLOCK });
            Ok(0)
        }
        request::FIOASYNC => Ok(0),
        request::FIONREAD if file.file.seekable() && file.place.is_some() => {
            let position = *file.offset.lock();
            let left = file.attributes()?.size.saturating_sub(position).min(i32::MAX as u64) as i32;
            write_value(call.addr(2), &left).map(|()| 0)
        }
        _ => file.file.ioctl(request, call.addr(2)),
    }
}

fn make_pipe(to: UserAddr, flags: u32) -> Result {
    if flags & !(O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0 {
        return Err(Errno::EINVAL);
    }
    let (reader, writer) = pipe::pair();
    let status = flags & O_NONBLOCK;
    let files = &current().process.files;
    let close_on_exec = flags & O_CLOEXEC != 0;
    let read_fd = files.insert(OpenFile::new(reader, O_RDONLY | status), close_on_exec, 0)?;
    let result = files.insert(OpenFile::new(writer, O_WRONLY | status), close_on_exec, 0).and_then(|write_fd| {
        write_value(to, &[read_fd, write_fd]).inspect_err(|_| {
            let _ = files.close(write_fd);
        })
    });
    if result.is_err() {
        let _ = files.close(read_fd);
    }
    result.map(|()| 0)
}

pub(super) fn pipe_(call: &mut Call<'_>) -> Result {
    make_pipe(call.addr(0), 0)
}

pub(super) fn pipe2(call: &mut Call<'_>) -> Result {
    make_pipe(call.addr(0), call.uint(1))
}
