//! Scheduling (sched(7)): the host schedules; every thread is an ordinary one.

use alloc::vec;

use linux_abi::Errno;

use crate::machine::machine;
use crate::mem::{read_slice, read_value, write_slice, write_value};
use crate::syscall::Call;
use crate::task::current;

/// sched_yield(2).
pub(super) fn sched_yield(_: &mut Call<'_>) -> Result<i64, Errno> {
    machine().yield_now();
    Ok(0)
}

fn check_tid(tid: u32) -> Result<(), Errno> {
    if tid == 0 || current().process.threads.lock().contains_key(&tid) { Ok(()) } else { Err(Errno::ESRCH) }
}

/// sched_getaffinity(2): all CPUs of the instance.
pub(super) fn sched_getaffinity(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_tid(call.uint(0))?;
    let cpus = machine().cpus().max(1) as usize;
    let bytes = cpus.div_ceil(64) * 8;
    if call.size(1) < bytes || !call.size(1).is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let mut mask = vec![0u8; bytes];
    (0..cpus).for_each(|cpu| mask[cpu / 8] |= 1 << (cpu % 8));
    write_slice(call.addr(2), &mask)?;
    Ok(bytes as i64)
}

/// sched_setaffinity(2): accepted if it names a CPU that exists; the host chooses.
pub(super) fn sched_setaffinity(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_tid(call.uint(0))?;
    let cpus = machine().cpus().max(1) as usize;
    let mask: alloc::vec::Vec<u8> = read_slice(call.addr(2), call.size(1).min(128))?;
    let any = (0..cpus).any(|cpu| mask.get(cpu / 8).is_some_and(|byte| byte & (1 << (cpu % 8)) != 0));
    if any { Ok(0) } else { Err(Errno::EINVAL) }
}

const SCHED_OTHER: i32 = 0;
const SCHED_BATCH: i32 = 3;
const SCHED_IDLE: i32 = 5;
const SCHED_RESET_ON_FORK: i32 = 0x4000_0000;

/// sched_setscheduler(2): only the ordinary policies.
pub(super) fn sched_setscheduler(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_tid(call.uint(0))?;
    let priority: i32 = read_value(call.addr(2))?;
    match call.int(1) & !SCHED_RESET_ON_FORK {
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE if priority == 0 => Ok(0),
        1 | 2 if (1..=99).contains(&priority) => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_getscheduler(2).
pub(super) fn sched_getscheduler(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_tid(call.uint(0)).map(|()| SCHED_OTHER.into())
}

/// sched_setparam(2).
pub(super) fn sched_setparam(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_tid(call.uint(0))?;
    if read_value::<i32>(call.addr(1))? == 0 { Ok(0) } else { Err(Errno::EINVAL) }
}

/// sched_getparam(2).
pub(super) fn sched_getparam(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_tid(call.uint(0))?;
    write_value(call.addr(1), &0i32)?;
    Ok(0)
}

/// sched_get_priority_max(2), sched_get_priority_min(2).
pub(super) fn priority_max(call: &mut Call<'_>) -> Result<i64, Errno> {
    match call.int(0) {
        1 | 2 => Ok(99),
        SCHED_OTHER | SCHED_BATCH | SCHED_IDLE => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// sched_get_priority_min(2).
pub(super) fn priority_min(call: &mut Call<'_>) -> Result<i64, Errno> {
    priority_max(call).map(|max| max.min(1))
}

/// sched_rr_get_interval(2).
pub(super) fn rr_interval(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_tid(call.uint(0))?;
    write_value(call.addr(1), &linux_abi::time::Timespec { sec: 0, nsec: 4_000_000 })?;
    Ok(0)
}

/// getpriority(2): 20 minus the nice value, which is 0.
pub(super) fn getpriority(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(20)
}

/// setpriority(2): raising is refused; lowering changes nothing among threads that are all alike.
pub(super) fn setpriority(call: &mut Call<'_>) -> Result<i64, Errno> {
    if call.int(2) < 0 { Err(Errno::EACCES) } else { Ok(0) }
}

/// getcpu(2).
pub(super) fn getcpu(call: &mut Call<'_>) -> Result<i64, Errno> {
    for at in [call.addr(0), call.addr(1)] {
        if !at.is_null() {
            write_value(at, &0u32)?;
        }
    }
    Ok(0)
}

/// `MEMBARRIER_CMD_QUERY`.
const QUERY: i32 = 0;

/// membarrier(2): no command is offered, which QUERY says.
pub(super) fn membarrier(call: &mut Call<'_>) -> Result<i64, Errno> {
    if call.int(0) == QUERY && call.uint(1) == 0 { Ok(0) } else { Err(Errno::EINVAL) }
}
