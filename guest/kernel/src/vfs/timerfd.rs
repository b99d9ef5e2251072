//! timerfd_create(2).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use linux_abi::Errno;
use platform::Deadline;

use crate::mem::Sink;
use crate::sync::{Mutex, mutex};
use crate::time::{self, TimerId};
use crate::vfs::File;
use crate::vfs::file::Events;
use crate::wait::{WaitQueue, Waiter};

struct State {
    /// The next expiry, on the monotonic clock.
    next: Option<Deadline>,
    /// Nanoseconds between expiries; 0: it expires once.
    interval: u64,
    /// Expiries that were not read yet.
    expired: u64,
    timer: Option<TimerId>,
}

impl State {
    /// Counts what has expired by now.
    fn advance(&mut self) {
        let now = time::monotonic();
        let Some(next) = self.next.filter(|next| *next <= now) else { return };
        let periods = (now - next).checked_div(self.interval);
        self.expired += 1 + periods.unwrap_or(0);
        self.next = periods.map(|periods| next + (periods + 1) * self.interval);
    }
}

struct Timer {
    state: Mutex<State>,
    queue: WaitQueue,
}

impl Timer {
    /// Asks to be called at the next expiry.
    fn arm(self: &Arc<Self>) {
        let (old, next) = {
            let mut state = self.state.lock();
            (state.timer.take(), state.next)
        };
        if let Some(old) = old {
            time::remove(old);
        }
        if let Some(next) = next {
            let timer = time::add(next, Arc::new(Expiry(self.clone())));
            self.state.lock().timer = Some(timer);
        }
    }
}

/// What the queue of timers holds.
struct Expiry(Arc<Timer>);

impl Waiter for Expiry {
    fn notify(&self) {
        self.0.state.lock().advance();
        self.0.queue.wake_all();
        self.0.arm();
    }
}

/// What a description of a timer refers to.
pub(super) struct TimerFd {
    /// CLOCK_REALTIME and its kin: points in time are on the wall clock.
    pub(super) wall: bool,
    timer: Arc<Timer>,
}

/// Time to the next expiry (0: disarmed) and interval, in nanoseconds.
pub(super) type Setting = (u64, u64);

impl TimerFd {
    /// A disarmed timer.
    pub(super) fn new(wall: bool) -> Self {
        let state = State { next: None, interval: 0, expired: 0, timer: None };
        Self { wall, timer: Arc::new(Timer { state: mutex(state), queue: WaitQueue::new() }) }
    }

    /// What is left and the interval.
    pub(super) fn get(&self) -> Setting {
        let mut state = self.timer.state.lock();
        state.advance();
        let left = state.next.map_or(0, |next| next.saturating_sub(time::monotonic()).max(1));
        (left, state.interval)
    }

    /// Sets the next expiry and the interval; gives the old setting.
    pub(super) fn set(&self, next: Option<Deadline>, interval: u64) -> Setting {
        let old = self.get();
        {
            let mut state = self.timer.state.lock();
            state.next = next;
            state.interval = interval;
            state.expired = 0;
        }
        self.timer.arm();
        old
    }
}

impl File for TimerFd {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        if to.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let expired = {
            let mut state = self.timer.state.lock();
            state.advance();
            core::mem::take(&mut state.expired)
        };
        if expired == 0 {
            return Err(Errno::EAGAIN);
        }
        to.put(&expired.to_le_bytes())
    }

    fn poll(&self) -> Events {
        let mut state = self.timer.state.lock();
        state.advance();
        if state.expired > 0 { Events::IN } else { Events::empty() }
    }

    fn queue(&self) -> Option<&WaitQueue> {
        Some(&self.timer.queue)
    }

    fn closed(&self) {
        self.set(None, 0);
    }

    fn describe(&self) -> Vec<u8> {
        b"anon_inode:[timerfd]".to_vec()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
