//! Clocks and timers: `include/uapi/linux/time.h`, `time_types.h`, `times.h`, `timex.h`.

use crate::abi;

/// Wall-clock time.
pub const CLOCK_REALTIME: i32 = 0;
/// Time since an arbitrary point, never set.
pub const CLOCK_MONOTONIC: i32 = 1;
/// CPU time of the process.
pub const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
/// CPU time of the thread.
pub const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
/// Monotonic without adjustment.
pub const CLOCK_MONOTONIC_RAW: i32 = 4;
/// Wall-clock time at the resolution of a tick.
pub const CLOCK_REALTIME_COARSE: i32 = 5;
/// Monotonic at the resolution of a tick.
pub const CLOCK_MONOTONIC_COARSE: i32 = 6;
/// Monotonic, counting suspends.
pub const CLOCK_BOOTTIME: i32 = 7;
/// Wall-clock time that wakes a sleeping machine.
pub const CLOCK_REALTIME_ALARM: i32 = 8;
/// CLOCK_BOOTTIME that wakes a sleeping machine.
pub const CLOCK_BOOTTIME_ALARM: i32 = 9;
/// International atomic time.
pub const CLOCK_TAI: i32 = 11;

/// The given time is a point, not a span.
pub const TIMER_ABSTIME: u32 = 1;

/// setitimer(2): wall-clock time, SIGALRM.
pub const ITIMER_REAL: i32 = 0;
/// setitimer(2): user CPU time, SIGVTALRM.
pub const ITIMER_VIRTUAL: i32 = 1;
/// setitimer(2): CPU time, SIGPROF.
pub const ITIMER_PROF: i32 = 2;

/// `sigev_notify`: send a signal.
pub const SIGEV_SIGNAL: i32 = 0;
/// `sigev_notify`: do nothing.
pub const SIGEV_NONE: i32 = 1;
/// `sigev_notify`: send a signal to one thread.
pub const SIGEV_THREAD_ID: i32 = 4;

abi! {
    /// `struct __kernel_timespec`.
    pub struct Timespec: 16 {
        /// Seconds.
        pub sec: i64,
        /// Nanoseconds, below 10^9.
        pub nsec: i64,
    }

    /// `struct timeval`.
    pub struct Timeval: 16 {
        /// Seconds.
        pub sec: i64,
        /// Microseconds, below 10^6.
        pub usec: i64,
    }

    /// `struct itimerspec`.
    pub struct Itimerspec: 32 {
        /// Period; zero for a timer that expires once.
        pub interval: Timespec,
        /// Time to the next expiry; zero if disarmed.
        pub value: Timespec,
    }

    /// `struct itimerval`.
    pub struct Itimerval: 32 {
        /// Period; zero for a timer that expires once.
        pub interval: Timeval,
        /// Time to the next expiry; zero if disarmed.
        pub value: Timeval,
    }

    /// `struct tms` of times(2), in ticks of 1/100 s.
    pub struct Tms: 32 {
        /// User time.
        pub utime: i64,
        /// System time.
        pub stime: i64,
        /// User time of children.
        pub cutime: i64,
        /// System time of children.
        pub cstime: i64,
    }

    /// `struct sigevent`.
    pub struct SigEvent: 64 {
        /// What the signal carries.
        pub value: u64,
        /// Signal number.
        pub signo: i32,
        /// `SIGEV_*`.
        pub notify: i32,
        /// The thread (`SIGEV_THREAD_ID`).
        pub tid: i32,
        /// Reserved.
        pub pad: [i32; 11],
    }
}

impl Timespec {
    /// From nanoseconds.
    pub const fn from_nanos(ns: u64) -> Self {
        Self { sec: (ns / 1_000_000_000) as i64, nsec: (ns % 1_000_000_000) as i64 }
    }

    /// In nanoseconds, at most `u64::MAX`; `None` if it is not a valid time (`EINVAL`).
    pub fn to_nanos(self) -> Option<u64> {
        if self.sec < 0 || !(0..1_000_000_000).contains(&self.nsec) {
            return None;
        }
        Some((self.sec as u64).saturating_mul(1_000_000_000).saturating_add(self.nsec as u64))
    }
}

impl Timeval {
    /// From nanoseconds, rounded down.
    pub const fn from_nanos(ns: u64) -> Self {
        Self { sec: (ns / 1_000_000_000) as i64, usec: (ns % 1_000_000_000 / 1000) as i64 }
    }

    /// In nanoseconds, at most `u64::MAX`; `None` if it is not a valid time (`EINVAL`).
    pub fn to_nanos(self) -> Option<u64> {
        if self.sec < 0 || !(0..1_000_000).contains(&self.usec) {
            return None;
        }
        Some((self.sec as u64).saturating_mul(1_000_000_000).saturating_add(self.usec as u64 * 1000))
    }
}
