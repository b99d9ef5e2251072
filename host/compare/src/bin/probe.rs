//! Prints what the cheapest system call costs where it runs, in nanoseconds: the median of several runs of getppid(2).
#![allow(unsafe_code)] // libc's `syscall` is the call that is measured; getppid(2) takes nothing and cannot fail.

use std::time::Instant;

const CALLS: u32 = 100_000;
const RUNS: usize = 9;

fn main() {
    let mut runs: Vec<f64> = (0..RUNS).map(|_| run()).collect();
    runs.sort_by(f64::total_cmp);
    println!("{:.2}", runs[RUNS / 2]);
}

fn run() -> f64 {
    let begin = Instant::now();
    for _ in 0..CALLS {
        // SAFETY: getppid(2) has no arguments and touches no memory of this process.
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
    begin.elapsed().as_nanos() as f64 / f64::from(CALLS)
}
