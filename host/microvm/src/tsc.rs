//! How fast this machine's time-stamp counter runs.
//!
//! The emulator hands the host's counter to the guest. Left alone, the guest's kernel measures it against emulated timers at
//! boot, which goes wrong or even stalls when the host is loaded; told on its command line, it measures nothing.

#![allow(unsafe_code)] // `rdtsc` is an unsafe intrinsic.

use std::arch::x86_64::_rdtsc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Long enough for an error below 0.01%.
const INTERVAL: Duration = Duration::from_millis(10);

/// The counter's frequency in kHz, measured once.
pub(crate) fn frequency_khz() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    *FREQUENCY.get_or_init(measure)
}

fn measure() -> u64 {
    let (start_tsc, start) = sample();
    std::thread::sleep(INTERVAL);
    let (end_tsc, end) = sample();
    let nanoseconds = end.duration_since(start).as_nanos().max(1);
    let khz = u128::from(end_tsc.saturating_sub(start_tsc)) * 1_000_000 / nanoseconds;
    u64::try_from(khz).unwrap_or(u64::MAX)
}

/// The counter and the clock at the same moment: the closest of a few attempts, since the thread may lose the CPU in between.
fn sample() -> (u64, Instant) {
    let attempt = || {
        let before = read();
        let now = Instant::now();
        let after = read();
        (after.saturating_sub(before), before + after.saturating_sub(before) / 2, now)
    };
    let best = (0..8).map(|_| attempt()).min_by_key(|(width, ..)| *width);
    best.map_or_else(|| (read(), Instant::now()), |(_, tsc, now)| (tsc, now))
}

fn read() -> u64 {
    // SAFETY: every x86-64 processor has the instruction; it only reads a counter.
    unsafe { _rdtsc() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_agree() {
        let (a, b) = (measure(), measure());
        assert!((500_000..10_000_000).contains(&a), "{a} kHz");
        assert!(a.abs_diff(b) * 1000 < a, "{a} and {b} kHz differ by more than 0.1%");
    }
}
