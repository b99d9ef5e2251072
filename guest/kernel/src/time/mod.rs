//! Clocks and timers.

mod timers;

use linux_abi::Errno;
use linux_abi::time::Timespec;
use platform::{Deadline, UserAddr};

use crate::machine::machine;
use crate::mem::read_value;

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

/// The calls of clocks and timers.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];
