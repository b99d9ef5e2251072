//! Timers that send signals: timer_create(2), setitimer(2), alarm(2).

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use linux_abi::signal::{NSIG, SI_TIMER, SIGALRM};
use linux_abi::time::*;
use linux_abi::{Errno, Pod};
use platform::{Deadline, UserAddr};

use crate::mem::{read_value, write_value};
use crate::signal::{Info, send_to_process, send_to_thread};
use crate::sync::{Mutex, mutex};
use crate::syscall::Call;
use crate::task::{Process, Thread, current};
use crate::time::{TimerId, clock};
use crate::wait::Waiter;

/// Who gets the signal.
enum Target {
    Nobody,
    Process(Weak<Process>),
    Thread(Weak<Thread>),
}

#[derive(Default)]
struct State {
    queued: Option<TimerId>,
    next: Deadline,
    interval: u64,
}

/// A timer.
struct Timer {
    clock: i32,
    target: Target,
    info: Info,
    state: Mutex<State>,
    /// Itself, to put into the queue.
    this: Weak<Timer>,
}

static TIMERS: Mutex<BTreeMap<u32, Arc<Timer>>> = mutex(BTreeMap::new());
static REAL: Mutex<Option<Arc<Timer>>> = mutex(None);
/// As many timers as Linux allows pending signals by default.
const MAX_TIMERS: u32 = 8192;

impl Timer {
    fn new(clock: i32, target: Target, info: Info) -> Arc<Self> {
        Arc::new_cyclic(|this| Self { clock, target, info, state: mutex(State::default()), this: this.clone() })
    }

    /// Sets it: first expiry at `next` (none: disarmed), then every `interval`. Gives the rest and interval of before.
    fn set(&self, next: Option<Deadline>, interval: u64) -> (u64, u64) {
        let before = self.remaining();
        let old = {
            let mut state = self.state.lock();
            state.interval = interval;
            state.next = next.unwrap_or(0);
            state.queued.take()
        };
        if let Some(id) = old {
            crate::time::remove(id);
        }
        if let Some(next) = next {
            crate::time::service::start();
            self.enqueue(next);
        }
        before
    }

    fn enqueue(&self, at: Deadline) {
        if let Some(this) = self.this.upgrade() {
            let id = crate::time::add(at, this);
            self.state.lock().queued = Some(id);
        }
    }

    fn remaining(&self) -> (u64, u64) {
        let state = self.state.lock();
        let rest = if state.queued.is_some() { state.next.saturating_sub(super::monotonic()).max(1) } else { 0 };
        (rest, state.interval)
    }
}

impl Waiter for Timer {
    fn notify(&self) {
        let again = {
            let mut state = self.state.lock();
            state.queued = None;
            let now = super::monotonic();
            // Expiries that nobody could see in time are skipped, as with a pending signal in Linux.
            let missed = now.saturating_sub(state.next).checked_div(state.interval).unwrap_or(0);
            state.next = state.next.saturating_add(state.interval.saturating_mul(missed + 1));
            (state.interval != 0).then_some(state.next)
        };
        if let Some(next) = again {
            self.enqueue(next);
        }
        match &self.target {
            Target::Nobody => {}
            Target::Process(process) => {
                if let Some(process) = process.upgrade() {
                    send_to_process(&process, self.info);
                }
            }
            Target::Thread(thread) => {
                if let Some(thread) = thread.upgrade() {
                    send_to_thread(&thread, self.info);
                }
            }
        }
    }
}

/// The monotonic deadline of a value on a clock.
fn deadline(clock: i32, value: u64, absolute: bool) -> Result<Option<Deadline>, Errno> {
    if value == 0 {
        return Ok(None);
    }
    let span = if absolute { value.saturating_sub(clock::read(clock)?) } else { value };
    Ok(Some(super::after(span)))
}

/// timer_create(2).
pub(super) fn timer_create(call: &mut Call<'_>) -> Result<i64, Errno> {
    let clock = call.int(0);
    clock::read(clock)?;
    let mut timers = TIMERS.lock();
    let id = (0..MAX_TIMERS).find(|id| !timers.contains_key(id)).ok_or(Errno::EAGAIN)?;
    let event = if call.addr(1).is_null() {
        SigEvent { signo: SIGALRM as i32, notify: SIGEV_SIGNAL, value: id.into(), ..SigEvent::zeroed() }
    } else {
        read_value(call.addr(1))?
    };
    let process = &current().process;
    let target = match event.notify {
        SIGEV_NONE => Target::Nobody,
        SIGEV_SIGNAL => Target::Process(Arc::downgrade(process)),
        SIGEV_THREAD_ID => {
            let threads = process.threads.lock();
            Target::Thread(Arc::downgrade(threads.get(&(event.tid as u32)).ok_or(Errno::EINVAL)?))
        }
        _ => return Err(Errno::EINVAL),
    };
    if event.notify != SIGEV_NONE && !(1..=NSIG as i32).contains(&event.signo) {
        return Err(Errno::EINVAL);
    }
    let mut info = Info::kernel(event.signo.max(1) as u32);
    info.0.code = SI_TIMER;
    info.0.fields[0] = id.into();
    info.0.fields[1] = event.value;
    write_value(call.addr(2), &id)?;
    timers.insert(id, Timer::new(clock, target, info));
    Ok(0)
}

fn timer(id: u32) -> Result<Arc<Timer>, Errno> {
    TIMERS.lock().get(&id).cloned().ok_or(Errno::EINVAL)
}

fn write_spec(at: UserAddr, (value, interval): (u64, u64)) -> Result<(), Errno> {
    if at.is_null() {
        return Ok(());
    }
    write_value(at, &Itimerspec { interval: Timespec::from_nanos(interval), value: Timespec::from_nanos(value) })
}

/// timer_settime(2).
pub(super) fn timer_settime(call: &mut Call<'_>) -> Result<i64, Errno> {
    let timer = timer(call.uint(0))?;
    let spec: Itimerspec = read_value(call.addr(2))?;
    let value = spec.value.to_nanos().ok_or(Errno::EINVAL)?;
    let interval = spec.interval.to_nanos().ok_or(Errno::EINVAL)?;
    let next = deadline(timer.clock, value, call.uint(1) & TIMER_ABSTIME != 0)?;
    let before = timer.set(next, interval);
    write_spec(call.addr(3), before).map(|()| 0)
}

/// timer_gettime(2).
pub(super) fn timer_gettime(call: &mut Call<'_>) -> Result<i64, Errno> {
    write_spec(call.addr(1), timer(call.uint(0))?.remaining()).map(|()| 0)
}

/// timer_getoverrun(2): skipped expiries are not counted.
pub(super) fn timer_getoverrun(call: &mut Call<'_>) -> Result<i64, Errno> {
    timer(call.uint(0)).map(|_| 0)
}

/// timer_delete(2).
pub(super) fn timer_delete(call: &mut Call<'_>) -> Result<i64, Errno> {
    let timer = TIMERS.lock().remove(&call.uint(0)).ok_or(Errno::EINVAL)?;
    timer.set(None, 0);
    Ok(0)
}

/// Deletes the timers of timer_create(2): a new program has none (execve(2)).
pub(crate) fn delete_timers() {
    let timers = core::mem::take(&mut *TIMERS.lock());
    for timer in timers.values() {
        timer.set(None, 0);
    }
}

fn real_timer() -> Arc<Timer> {
    let mut real = REAL.lock();
    real.get_or_insert_with(|| {
        let target = Target::Process(Arc::downgrade(&current().process));
        Timer::new(CLOCK_MONOTONIC, target, Info::kernel(SIGALRM))
    })
    .clone()
}

/// setitimer(2).
pub(super) fn setitimer(call: &mut Call<'_>) -> Result<i64, Errno> {
    let new: Itimerval = if call.addr(1).is_null() { Itimerval::zeroed() } else { read_value(call.addr(1))? };
    let value = new.value.to_nanos().ok_or(Errno::EINVAL)?;
    let interval = new.interval.to_nanos().ok_or(Errno::EINVAL)?;
    let before = match call.int(0) {
        ITIMER_REAL => real_timer().set(deadline(CLOCK_MONOTONIC, value, false)?, interval),
        ITIMER_VIRTUAL | ITIMER_PROF if value == 0 => (0, 0),
        ITIMER_VIRTUAL | ITIMER_PROF => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EINVAL),
    };
    write_val(call.addr(2), before).map(|()| 0)
}

/// getitimer(2).
pub(super) fn getitimer(call: &mut Call<'_>) -> Result<i64, Errno> {
    match call.int(0) {
        ITIMER_REAL => write_val(call.addr(1), real_timer().remaining()).map(|()| 0),
        ITIMER_VIRTUAL | ITIMER_PROF => write_val(call.addr(1), (0, 0)).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

fn write_val(at: UserAddr, (value, interval): (u64, u64)) -> Result<(), Errno> {
    if at.is_null() {
        return Ok(());
    }
    write_value(at, &Itimerval { interval: Timeval::from_nanos(interval), value: Timeval::from_nanos(value) })
}

/// alarm(2): gives the seconds that were left, at least 1 if there was an alarm.
pub(super) fn alarm(call: &mut Call<'_>) -> Result<i64, Errno> {
    let span = u64::from(call.uint(0)) * 1_000_000_000;
    let (rest, _) = real_timer().set(deadline(CLOCK_MONOTONIC, span, false)?, 0);
    Ok(rest.div_ceil(1_000_000_000) as i64)
}
