//! Clocks (clock_gettime(2), gettimeofday(2), time(2), times(2)) and sleeping (clock_nanosleep(2)).

use linux_abi::time::*;
use linux_abi::{Errno, Pod};
use platform::Deadline;

use crate::machine::machine;
use crate::mem::{read_value, write_value};
use crate::syscall::Call;
use crate::task::{current, signal_pending};

/// The time of a clock in nanoseconds.
pub(super) fn read(clock: i32) -> Result<u64, Errno> {
    let m = machine();
    match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_REALTIME_ALARM | CLOCK_TAI => Ok(m.realtime_ns()),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => {
            Ok(m.monotonic_ns())
        }
        CLOCK_PROCESS_CPUTIME_ID => Ok(m.cpu_time_ns(true)),
        CLOCK_THREAD_CPUTIME_ID => Ok(m.cpu_time_ns(false)),
        // The CPU clock of a process or thread by its id (clock_getcpuclockid(3)): bits 0 to 1 the kind, bit 2 a thread.
        id if id < 0 => cpu_clock(id),
        _ => Err(Errno::EINVAL),
    }
}

fn cpu_clock(id: i32) -> Result<u64, Errno> {
    let (owner, per_thread) = (!(id >> 3) as u32, id & 4 != 0);
    let thread = current();
    match per_thread {
        true if owner == 0 || owner == thread.tid => Ok(machine().cpu_time_ns(false)),
        false if owner == 0 || owner == thread.process.pid => Ok(machine().cpu_time_ns(true)),
        _ => Err(Errno::EINVAL),
    }
}

/// clock_gettime(2).
pub(super) fn clock_gettime(call: &mut Call<'_>) -> Result<i64, Errno> {
    write_value(call.addr(1), &Timespec::from_nanos(read(call.int(0))?))?;
    Ok(0)
}

/// clock_getres(2).
pub(super) fn clock_getres(call: &mut Call<'_>) -> Result<i64, Errno> {
    read(call.int(0))?;
    let coarse = matches!(call.int(0), CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE);
    if !call.addr(1).is_null() {
        write_value(call.addr(1), &Timespec { sec: 0, nsec: if coarse { 4_000_000 } else { 1 } })?;
    }
    Ok(0)
}

/// clock_settime(2), settimeofday(2), adjtimex(2) with changes: the clock is the host's.
pub(super) fn not_permitted(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::EPERM)
}

/// gettimeofday(2).
pub(super) fn gettimeofday(call: &mut Call<'_>) -> Result<i64, Errno> {
    if !call.addr(0).is_null() {
        write_value(call.addr(0), &Timeval::from_nanos(machine().realtime_ns()))?;
    }
    if !call.addr(1).is_null() {
        write_value(call.addr(1), &0u64)?;
    }
    Ok(0)
}

/// time(2).
pub(super) fn time(call: &mut Call<'_>) -> Result<i64, Errno> {
    let seconds = (machine().realtime_ns() / 1_000_000_000) as i64;
    if !call.addr(0).is_null() {
        write_value(call.addr(0), &seconds)?;
    }
    Ok(seconds)
}

/// times(2).
pub(super) fn times(call: &mut Call<'_>) -> Result<i64, Errno> {
    const TICK: u64 = 10_000_000;
    if !call.addr(0).is_null() {
        let tms = Tms { utime: (machine().cpu_time_ns(true) / TICK) as i64, ..Tms::zeroed() };
        write_value(call.addr(0), &tms)?;
    }
    Ok((machine().monotonic_ns() / TICK) as i64)
}

/// nanosleep(2).
pub(super) fn nanosleep(call: &mut Call<'_>) -> Result<i64, Errno> {
    let span = read_value::<Timespec>(call.addr(0))?.to_nanos().ok_or(Errno::EINVAL)?;
    sleep_for(call, super::after(span), 1)
}

/// clock_nanosleep(2).
pub(super) fn clock_nanosleep(call: &mut Call<'_>) -> Result<i64, Errno> {
    let clock = call.int(0);
    if clock == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EINVAL);
    }
    let now = read(clock)?;
    let time = read_value::<Timespec>(call.addr(2))?.to_nanos().ok_or(Errno::EINVAL)?;
    if call.uint(1) & TIMER_ABSTIME == 0 {
        return sleep_for(call, super::after(time), 3);
    }
    match sleep_until(super::after(time.saturating_sub(now))) {
        // Made again with the same point in time, it goes on sleeping as if nothing had happened.
        Err(_) => Err(Errno::ERESTARTSYS),
        Ok(()) => Ok(0),
    }
}

/// Sleeps; when a signal ends it, writes the rest to argument `n`.
fn sleep_for(call: &Call<'_>, deadline: Deadline, n: usize) -> Result<i64, Errno> {
    if sleep_until(deadline).is_ok() {
        return Ok(0);
    }
    if !call.addr(n).is_null() {
        let rest = deadline.saturating_sub(super::monotonic());
        write_value(call.addr(n), &Timespec::from_nanos(rest))?;
    }
    Err(Errno::EINTR)
}

/// Sleeps until the deadline or a signal.
fn sleep_until(deadline: Deadline) -> Result<(), Errno> {
    let thread = current();
    thread.parker.reset();
    while super::monotonic() < deadline {
        if signal_pending() {
            return Err(Errno::EINTR);
        }
        thread.parker.park(Some(deadline));
    }
    Ok(())
}
