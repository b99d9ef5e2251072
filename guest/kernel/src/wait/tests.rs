//! Waiting and the watcher's role between real threads.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::Errno;

use crate::task::current;
use crate::task::tests::spawn;
use crate::vfs::testing::process;
use crate::wait::{WaitQueue, block_on};

static SERIAL: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn a_deadline_ends_a_wait() {
    process();
    let queue = WaitQueue::new();
    let start = Instant::now();
    let result: Result<(), _> = block_on(&queue, Some(crate::time::after(20_000_000)), || Err(Errno::EAGAIN));
    assert_eq!(result, Err(Errno::EAGAIN));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(queue.is_empty());
}

#[test]
fn the_role_of_the_watcher_is_handed_on() {
    let _alone = SERIAL.lock();
    process();
    let own = current().process.clone();
    let turn = Arc::new((AtomicU32::new(0), WaitQueue::new()));
    // Each waits for its turn and passes it on: whoever watches leaves, and others have to take over.
    let threads: Vec<_> = (0..4u32)
        .map(|me| {
            let turn = turn.clone();
            spawn(&own, move || {
                for round in 0..200 {
                    let wanted = round * 4 + me;
                    let attempt = || if turn.0.load(Ordering::SeqCst) == wanted { Ok(()) } else { Err(Errno::EAGAIN) };
                    block_on(&turn.1, Some(crate::time::after(20_000_000_000)), attempt).unwrap();
                    turn.0.store(wanted + 1, Ordering::SeqCst);
                    turn.1.wake_all();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(turn.0.load(Ordering::SeqCst), 800);
}

#[test]
fn a_sleeper_runs_timers_when_the_watcher_has_left() {
    let _alone = SERIAL.lock();
    process();
    let own = current().process.clone();
    let queue = Arc::new(WaitQueue::new());
    let done = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (1..=3u64)
        .map(|n| {
            let (queue, done) = (queue.clone(), done.clone());
            spawn(&own, move || {
                let deadline = crate::time::after(n * 15_000_000);
                let result: Result<(), _> = block_on(&queue, Some(deadline), || Err(Errno::EAGAIN));
                assert_eq!(result, Err(Errno::EAGAIN));
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    let start = Instant::now();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(done.load(Ordering::SeqCst) == 3 && start.elapsed() < Duration::from_secs(10));
    thread::yield_now();
}

struct Count(AtomicU32);

impl crate::wait::Waiter for Count {
    fn notify(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn timers_run_in_time_and_once() {
    process();
    let (first, removed) = (Arc::new(Count(AtomicU32::new(0))), Arc::new(Count(AtomicU32::new(0))));
    crate::time::add(crate::time::after(5_000_000), first.clone());
    crate::time::add(crate::time::after(10_000_000), first.clone());
    let id = crate::time::add(crate::time::after(7_000_000), removed.clone());
    crate::time::remove(id);
    let queue = WaitQueue::new();
    let _: Result<(), _> = block_on(&queue, Some(crate::time::after(40_000_000)), || Err(Errno::EAGAIN));
    // Another test's thread may have been the watcher: it runs them all the same.
    let start = Instant::now();
    while first.0.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_secs(10) {
        crate::time::run_expired();
    }
    assert_eq!((first.0.load(Ordering::SeqCst), removed.0.load(Ordering::SeqCst)), (2, 0));
}
