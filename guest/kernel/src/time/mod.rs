//! Clocks and timers.

mod clock;
mod posix;
pub(crate) mod service;
mod timers;

use linux_abi::time::Timespec;
use linux_abi::{Errno, nr};
use platform::{Deadline, UserAddr};

use crate::machine::machine;
use crate::mem::read_value;
use crate::sync::Once;
use crate::syscall::Support::{Full, Partial, Refused};
use crate::syscall::{Row, row};

pub(crate) use posix::delete_timers;
pub(crate) use timers::{TimerId, add, next_deadline, remove, run_expired};

/// Nanoseconds of CLOCK_MONOTONIC.
#[inline]
pub(crate) fn monotonic() -> u64 {
    machine().monotonic_ns()
}

/// Nanoseconds of CLOCK_REALTIME.
#[inline]
pub(crate) fn realtime() -> u64 {
    machine().realtime_ns()
}

/// The point that lies `span` nanoseconds from now.
pub(crate) fn after(span: u64) -> Deadline {
    monotonic().saturating_add(span)
}

/// The deadline of a relative timeout of the application (`struct timespec`); `None` for the null pointer: no timeout.
pub(crate) fn deadline_from_user(at: UserAddr) -> Result<Option<Deadline>, Errno> {
    if at.is_null() {
        return Ok(None);
    }
    let span = read_value::<Timespec>(at)?.to_nanos().ok_or(Errno::EINVAL)?;
    Ok(Some(after(span)))
}

/// The monotonic deadline of a point in wall-clock time.
pub(crate) fn from_realtime(point: u64) -> Deadline {
    let (real, mono) = (realtime(), monotonic());
    if point >= real { mono.saturating_add(point - real) } else { mono.saturating_sub(real - point) }
}

/// Nanoseconds since the kernel was booted.
pub(crate) fn uptime() -> u64 {
    monotonic().saturating_sub(*BOOTED.get())
}

static BOOTED: Once<u64> = Once::new();

/// Remembers when the kernel was booted.
pub(crate) fn init() {
    BOOTED.set(monotonic());
}

/// The calls of clocks and timers.
pub(crate) const SYSCALLS: &[Row] = &[
    row(nr::CLOCK_GETTIME, clock::clock_gettime, Full),
    row(nr::CLOCK_GETRES, clock::clock_getres, Full),
    row(nr::CLOCK_NANOSLEEP, clock::clock_nanosleep, Full),
    row(nr::NANOSLEEP, clock::nanosleep, Full),
    row(nr::GETTIMEOFDAY, clock::gettimeofday, Full),
    row(nr::TIME, clock::time, Full),
    row(nr::TIMES, clock::times, Partial("all CPU time as user time")),
    row(nr::CLOCK_SETTIME, clock::not_permitted, Refused(HOST_CLOCK)),
    row(nr::SETTIMEOFDAY, clock::not_permitted, Refused(HOST_CLOCK)),
    row(nr::ADJTIMEX, clock::not_permitted, Refused(HOST_CLOCK)),
    row(nr::CLOCK_ADJTIME, clock::not_permitted, Refused(HOST_CLOCK)),
    row(nr::TIMER_CREATE, posix::timer_create, Partial("CPU clocks count wall-clock time")),
    row(nr::TIMER_SETTIME, posix::timer_settime, Full),
    row(nr::TIMER_GETTIME, posix::timer_gettime, Full),
    row(nr::TIMER_GETOVERRUN, posix::timer_getoverrun, Partial("always 0")),
    row(nr::TIMER_DELETE, posix::timer_delete, Full),
    row(nr::SETITIMER, posix::setitimer, Partial("ITIMER_REAL only")),
    row(nr::GETITIMER, posix::getitimer, Partial("ITIMER_REAL only")),
    row(nr::ALARM, posix::alarm, Full),
];

const HOST_CLOCK: &str = "the clock is the host's: EPERM";
