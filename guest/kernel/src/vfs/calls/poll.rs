//! poll(2), ppoll(2), select(2), pselect6(2), and the calls of epoll(7).

use alloc::vec::Vec;

use linux_abi::Errno;
use linux_abi::fs::O_RDWR;
use linux_abi::poll::{
    EP_MAX_EVENTS, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLEXCLUSIVE, EPOLLONESHOT, POLLNVAL,
    POLLRDNORM, POLLWRNORM, PollFd,
};
use linux_abi::time::{Timespec, Timeval};
use platform::{Deadline, UserAddr};

use super::arguments::{file, install};
use crate::mem::{read_slice, read_value, write_slice, write_value};
use crate::signal::SigSet;
use crate::syscall::Call;
use crate::task::{Resource, current};
use crate::time;
use crate::vfs::epoll::{self, Handle};
use crate::vfs::file::Events;
use crate::vfs::poll::{Item, wait_for};
use crate::vfs::{OpenFile, task_limit};

type Result = core::result::Result<i64, Errno>;

const NANOS: u64 = 1_000_000_000;

/// The deadline of a timeout in milliseconds; negative: none.
fn milliseconds(timeout: i32) -> Option<Deadline> {
    u64::try_from(timeout).ok().map(|ms| time::after(ms * 1_000_000))
}

/// Sets the signal mask for the duration of the call, if one is given.
fn mask_signals(at: UserAddr, size: usize) -> core::result::Result<(), Errno> {
    if at.is_null() {
        return Ok(());
    }
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    current().signals.set_temporary_mask(SigSet(read_value(at)?));
    Ok(())
}

fn poll_fds(at: UserAddr, count: u64, deadline: Option<Deadline>) -> Result {
    if count > task_limit(Resource::OpenFiles) {
        return Err(Errno::EINVAL);
    }
    let mut fds: Vec<PollFd> = read_slice(at, count as usize)?;
    let files = &current().process.files;
    let always = (Events::ERR | Events::HUP).bits();
    let mut items = Vec::with_capacity(fds.len());
    let mut invalid = 0;
    for (n, fd) in fds.iter_mut().enumerate() {
        fd.revents = 0;
        if fd.fd < 0 {
            continue;
        }
        match files.get(fd.fd) {
            Ok(file) => items.push((n, Item { file, wanted: u32::from(fd.events as u16) | always })),
            Err(_) => {
                fd.revents = POLLNVAL;
                invalid += 1;
            }
        }
    }
    let (places, items): (Vec<usize>, Vec<Item>) = items.into_iter().unzip();
    let look = || {
        let mut found = invalid;
        for (n, item) in places.iter().zip(&items) {
            let ready = item.ready();
            fds[*n].revents = ready as i16;
            found += i64::from(ready != 0);
        }
        (found > 0).then_some(found)
    };
    let found = wait_for(&items, deadline, look)?.unwrap_or(0);
    write_slice(at, &fds)?;
    Ok(found)
}

pub(super) fn poll(call: &mut Call<'_>) -> Result {
    poll_fds(call.addr(0), call.args[1] & 0xffff_ffff, milliseconds(call.int(2)))
}

/// Tells the application how much of its timeout is left (select(2), "The timeout").
fn write_rest(at: UserAddr, deadline: Option<Deadline>, micro: bool) {
    let Some(deadline) = deadline else { return };
    let left = deadline.saturating_sub(time::monotonic());
    let (sec, nsec) = ((left / NANOS) as i64, (left % NANOS) as i64);
    // The result of the call stands even if the timeout lies in read-only memory.
    let _ = match micro {
        true => write_value(at, &Timeval { sec, usec: nsec / 1000 }),
        false => write_value(at, &Timespec { sec, nsec }),
    };
}

pub(super) fn ppoll(call: &mut Call<'_>) -> Result {
    let deadline = time::deadline_from_user(call.addr(2))?;
    mask_signals(call.addr(3), call.size(4))?;
    let result = poll_fds(call.addr(0), call.args[1] & 0xffff_ffff, deadline);
    write_rest(call.addr(2), deadline, false);
    result
}

/// The events that make a descriptor ready for each of select(2)'s three sets.
const SETS: [u32; 3] = [
    Events::IN.bits() | POLLRDNORM | Events::HUP.bits() | Events::ERR.bits(),
    Events::OUT.bits() | POLLWRNORM | Events::ERR.bits(),
    Events::PRI.bits(),
];

fn select_fds(count: i32, at: [UserAddr; 3], deadline: Option<Deadline>) -> Result {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?.min(task_limit(Resource::OpenFiles) as usize);
    let words = count.div_ceil(64);
    let mut wanted: [Vec<u64>; 3] = Default::default();
    for (set, at) in wanted.iter_mut().zip(at) {
        *set = if at.is_null() { alloc::vec![0; words] } else { read_slice(at, words)? };
    }
    let has = |set: &Vec<u64>, fd: usize| set[fd / 64] & (1 << (fd % 64)) != 0;
    let mut items = Vec::new();
    let mut fds = Vec::new();
    for fd in 0..count {
        let events = (0..3).filter(|n| has(&wanted[*n], fd)).fold(0, |events, n| events | SETS[n]);
        if events != 0 {
            items.push(Item { file: file(fd as i32)?, wanted: events });
            fds.push(fd);
        }
    }
    let mut result: [Vec<u64>; 3] = core::array::from_fn(|_| alloc::vec![0; words]);
    let look = || {
        let mut found = 0;
        for (fd, item) in fds.iter().zip(&items) {
            let ready = item.ready();
            for n in (0..3).filter(|n| has(&wanted[*n], *fd) && ready & SETS[*n] != 0) {
                result[n][fd / 64] |= 1 << (fd % 64);
                found += 1;
            }
        }
        (found > 0).then_some(found)
    };
    let found = wait_for(&items, deadline, look)?.unwrap_or(0);
    for (set, at) in result.iter().zip(at).filter(|(_, at)| !at.is_null()) {
        write_slice(at, set)?;
    }
    Ok(found)
}

pub(super) fn select(call: &mut Call<'_>) -> Result {
    let timeout = call.addr(4);
    let deadline = match timeout.is_null() {
        true => None,
        false => {
            let value: Timeval = read_value(timeout)?;
            let (sec, micro) = (u64::try_from(value.sec), u64::try_from(value.usec));
            let (Ok(sec), Ok(micro)) = (sec, micro) else { return Err(Errno::EINVAL) };
            Some(time::after(sec.saturating_mul(NANOS).saturating_add(micro.saturating_mul(1000))))
        }
    };
    let result = select_fds(call.int(0), [call.addr(1), call.addr(2), call.addr(3)], deadline);
    write_rest(timeout, deadline, true);
    result
}

pub(super) fn pselect6(call: &mut Call<'_>) -> Result {
    let deadline = time::deadline_from_user(call.addr(4))?;
    if !call.addr(5).is_null() {
        let [mask, size]: [u64; 2] = read_value(call.addr(5))?;
        mask_signals(UserAddr(mask), size as usize)?;
    }
    let result = select_fds(call.int(0), [call.addr(1), call.addr(2), call.addr(3)], deadline);
    write_rest(call.addr(4), deadline, false);
    result
}

fn new_epoll(flags: u32) -> Result {
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    install(OpenFile::new(alloc::sync::Arc::new(Handle::new()), O_RDWR), flags != 0)
}

pub(super) fn epoll_create(call: &mut Call<'_>) -> Result {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    new_epoll(0)
}

pub(super) fn epoll_create1(call: &mut Call<'_>) -> Result {
    new_epoll(call.uint(0))
}

fn read_event(at: UserAddr) -> core::result::Result<(u32, u64), Errno> {
    let [events, low, high]: [u32; 3] = read_value(at)?;
    Ok((events, u64::from(low) | u64::from(high) << 32))
}

pub(super) fn epoll_ctl(call: &mut Call<'_>) -> Result {
    let (operation, fd) = (call.int(1), call.int(2));
    let event = match operation {
        EPOLL_CTL_DEL => (0, 0),
        _ => read_event(call.addr(3))?,
    };
    let (epoll_file, target) = (file(call.int(0))?, file(fd)?);
    let epoll = epoll::instance(&epoll_file)?;
    if alloc::sync::Arc::ptr_eq(&epoll_file, &target) {
        return Err(Errno::EINVAL);
    }
    // Exclusive wake-ups can only be asked for when adding, and not together with one-shot (epoll_ctl(2)).
    let (events, data) = event;
    let exclusive = events & EPOLLEXCLUSIVE != 0;
    let odd = events & EPOLLONESHOT != 0 || epoll::instance(&target).is_ok();
    if exclusive && (operation == EPOLL_CTL_MOD || odd) {
        return Err(Errno::EINVAL);
    }
    match operation {
        EPOLL_CTL_ADD => epoll.add(fd, &target, events, data),
        EPOLL_CTL_MOD => epoll.change(fd, &target, events, data),
        EPOLL_CTL_DEL => epoll.remove(fd, &target),
        _ => Err(Errno::EINVAL),
    }
    .map(|()| 0)
}

fn wait_events(fd: i32, to: UserAddr, max: i32, deadline: Option<Deadline>) -> Result {
    if max <= 0 || max > EP_MAX_EVENTS {
        return Err(Errno::EINVAL);
    }
    let file = file(fd)?;
    epoll::instance(&file)?.wait(to, max as usize, deadline).map(|n| n as i64)
}

pub(super) fn epoll_wait(call: &mut Call<'_>) -> Result {
    wait_events(call.int(0), call.addr(1), call.int(2), milliseconds(call.int(3)))
}

pub(super) fn epoll_pwait(call: &mut Call<'_>) -> Result {
    mask_signals(call.addr(4), call.size(5))?;
    epoll_wait(call)
}

pub(super) fn epoll_pwait2(call: &mut Call<'_>) -> Result {
    let deadline = time::deadline_from_user(call.addr(3))?;
    mask_signals(call.addr(4), call.size(5))?;
    wait_events(call.int(0), call.addr(1), call.int(2), deadline)
}
