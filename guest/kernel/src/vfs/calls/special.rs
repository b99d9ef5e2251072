//! Descriptors of counters, timers, signals and nameless files: eventfd(2), timerfd_create(2), signalfd(2),
//! memfd_create(2).

use alloc::sync::Arc;

use linux_abi::Errno;
use linux_abi::fs::{F_SEAL_SEAL, O_CLOEXEC, O_LARGEFILE, O_NONBLOCK, O_RDWR};
use linux_abi::time::{CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM};
use linux_abi::time::{Itimerspec, Timespec};

use super::arguments::{file, install};
use crate::mem::{read_cstr, read_value, write_value};
use crate::signal::SigSet;
use crate::syscall::Call;
use crate::time;
use crate::vfs::eventfd::EventFd;
use crate::vfs::signalfd::SignalFd;
use crate::vfs::timerfd::{Setting, TimerFd};
use crate::vfs::{File, Inode, Kind, NewNode, OpenFile, Place, access, boot};

type Result = core::result::Result<i64, Errno>;

/// Installs an object without a name; `flags` are checked, of which O_NONBLOCK and O_CLOEXEC count.
fn install_object(object: Arc<dyn File>, flags: u32) -> Result {
    install(OpenFile::new(object, O_RDWR | (flags & O_NONBLOCK)), flags & O_CLOEXEC != 0)
}

fn make_eventfd(initial: u32, flags: u32) -> Result {
    const SEMAPHORE: u32 = 1;
    if flags & !(SEMAPHORE | O_NONBLOCK | O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    install_object(Arc::new(EventFd::new(initial, flags & SEMAPHORE != 0)), flags)
}

pub(super) fn eventfd(call: &mut Call<'_>) -> Result {
    make_eventfd(call.uint(0), 0)
}

pub(super) fn eventfd2(call: &mut Call<'_>) -> Result {
    make_eventfd(call.uint(0), call.uint(1))
}

pub(super) fn timerfd_create(call: &mut Call<'_>) -> Result {
    let wall = match call.int(0) {
        CLOCK_REALTIME | CLOCK_REALTIME_ALARM => true,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => false,
        _ => return Err(Errno::EINVAL),
    };
    if call.uint(1) & !(O_NONBLOCK | O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    install_object(Arc::new(TimerFd::new(wall)), call.uint(1))
}

fn timer(file: &OpenFile) -> core::result::Result<&TimerFd, Errno> {
    file.file.as_any().downcast_ref().ok_or(Errno::EINVAL)
}

fn to_itimerspec((left, interval): Setting) -> Itimerspec {
    Itimerspec { interval: Timespec::from_nanos(interval), value: Timespec::from_nanos(left) }
}

pub(super) fn timerfd_settime(call: &mut Call<'_>) -> Result {
    const ABSOLUTE: u32 = 1;
    const CANCEL_ON_SET: u32 = 2;
    let flags = call.uint(1);
    if flags & !(ABSOLUTE | CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let new: Itimerspec = read_value(call.addr(2))?;
    let (value, interval) = (new.value.to_nanos().ok_or(Errno::EINVAL)?, new.interval.to_nanos().ok_or(Errno::EINVAL)?);
    let file = file(call.int(0))?;
    let timer = timer(&file)?;
    let next = match value {
        0 => None,
        point if flags & ABSOLUTE != 0 && timer.wall => Some(time::from_realtime(point)),
        point if flags & ABSOLUTE != 0 => Some(point),
        span => Some(time::after(span)),
    };
    let old = timer.set(next, interval);
    if !call.addr(3).is_null() {
        write_value(call.addr(3), &to_itimerspec(old))?;
    }
    Ok(0)
}

pub(super) fn timerfd_gettime(call: &mut Call<'_>) -> Result {
    let file = file(call.int(0))?;
    write_value(call.addr(1), &to_itimerspec(timer(&file)?.get())).map(|()| 0)
}

fn make_signalfd(call: &Call<'_>, flags: u32) -> Result {
    if flags & !(O_NONBLOCK | O_CLOEXEC) != 0 || call.size(2) != 8 {
        return Err(Errno::EINVAL);
    }
    let wanted = SigSet(read_value(call.addr(1))?);
    if call.int(0) == -1 {
        return install_object(Arc::new(SignalFd::new(wanted)), flags);
    }
    let file = file(call.int(0))?;
    file.file.as_any().downcast_ref::<SignalFd>().ok_or(Errno::EINVAL)?.set(wanted);
    Ok(call.int(0).into())
}

pub(super) fn signalfd(call: &mut Call<'_>) -> Result {
    make_signalfd(call, 0)
}

pub(super) fn signalfd4(call: &mut Call<'_>) -> Result {
    make_signalfd(call, call.uint(3))
}

pub(super) fn memfd_create(call: &mut Call<'_>) -> Result {
    const CLOEXEC: u32 = 1;
    const ALLOW_SEALING: u32 = 2;
    const HUGETLB: u32 = 4;
    const NOEXEC_SEAL: u32 = 8;
    const EXEC: u32 = 16;
    /// The name's length without the `memfd:` before it and the zero byte behind.
    const NAME_MAX: usize = 249;
    let flags = call.uint(1);
    if flags & !(CLOEXEC | ALLOW_SEALING | NOEXEC_SEAL | EXEC) != 0 || flags & HUGETLB != 0 {
        return Err(Errno::EINVAL);
    }
    let name = read_cstr(call.addr(0), NAME_MAX + 1).map_err(|e| match e {
        Errno::ENAMETOOLONG => Errno::EINVAL,
        other => other,
    })?;
    let (uid, gid) = access::owner();
    let mode = if flags & NOEXEC_SEAL != 0 { 0o666 } else { 0o777 };
    let node = boot::memfd_tree()?.unnamed(&NewNode { kind: Kind::Regular, mode, uid, gid, rdev: 0, target: b"" })?;
    if flags & (ALLOW_SEALING | NOEXEC_SEAL) == 0 {
        node.add_seals(F_SEAL_SEAL);
    }
    let place = Place {
        inode: node.clone() as Arc<dyn Inode>,
        parent: None,
        name: [&b"memfd:"[..], &name].concat().as_slice().into(),
    };
    install(OpenFile::at(place, node, O_RDWR | O_LARGEFILE), flags & CLOEXEC != 0)
}
