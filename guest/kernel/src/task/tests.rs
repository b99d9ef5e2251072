//! Futexes between real threads.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

use linux_abi::{Errno, nr};
use platform::UserAddr;

use crate::mem::write_value;
use crate::task::{Process, Thread, adopt, current};
use crate::testing;
use crate::vfs::testing::{call, process};

const WAIT: u64 = 0;
const WAKE: u64 = 1;
const CMP_REQUEUE: u64 = 4;
const WAIT_BITSET: u64 = 9;
const WAKE_BITSET: u64 = 10;

/// Runs `work` as another thread of the process.
pub(crate) fn spawn<T: Send + 'static>(
    process: &Arc<Process>,
    work: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let tid = process.next_tid.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    let new = Thread::new(tid, process.clone(), [0; 16], 0);
    process.threads.lock().insert(tid, new.clone());
    thread::spawn(move || {
        testing::setup().set_current(adopt(new));
        work()
    })
}

use platform::Machine as _;

/// Wakes until `count` threads were woken in all.
fn wake(word: UserAddr, operation: u64, count: i64, bits: u64) {
    let (start, mut seen) = (Instant::now(), 0);
    while seen < count {
        assert!(start.elapsed() < Duration::from_secs(20), "{seen} of {count} woken");
        seen += call(nr::FUTEX, &[word.0, operation, (count - seen) as u64, 0, 0, bits]).unwrap();
        thread::yield_now();
    }
}

#[test]
fn a_changed_word_is_not_waited_for() {
    process();
    let word = testing::page();
    assert_eq!(call(nr::FUTEX, &[word.0, WAIT, 1, 0]), Err(Errno::EAGAIN));
    assert_eq!(call(nr::FUTEX, &[word.0 + 1, WAIT, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(call(nr::FUTEX, &[8, WAIT, 0, 0]), Err(Errno::EFAULT));
    write_value(word.add(64), &[0i64, 20_000_000]).unwrap();
    let start = Instant::now();
    assert_eq!(call(nr::FUTEX, &[word.0, WAIT, 0, word.0 + 64]), Err(Errno::ETIMEDOUT));
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn wakes_reach_those_they_mean() {
    process();
    let own = current().process.clone();
    let word = testing::page();
    let other = word.add(4);
    let sleepers: Vec<_> = [1u64, 2, 4]
        .map(|bits| spawn(&own, move || call(nr::FUTEX, &[word.0, WAIT_BITSET, 0, 0, 0, bits])))
        .into_iter()
        .collect();
    wake(word, WAKE_BITSET, 1, 2);
    let (start, mut moved) = (Instant::now(), 0);
    while moved < 2 {
        assert!(start.elapsed() < Duration::from_secs(20));
        moved += call(nr::FUTEX, &[word.0, CMP_REQUEUE, 0, 9, other.0, 0]).unwrap();
    }
    assert_eq!(call(nr::FUTEX, &[word.0, CMP_REQUEUE, 0, 9, other.0, 1]), Err(Errno::EAGAIN));
    assert_eq!(call(nr::FUTEX, &[word.0, WAKE, 9]), Ok(0));
    wake(other, WAKE, 2, 0);
    for sleeper in sleepers {
        assert_eq!(sleeper.join().unwrap(), Ok(0));
    }
}

#[test]
fn no_wake_is_lost() {
    const ROUNDS: u32 = 3000;
    process();
    let own = current().process.clone();
    let word = testing::page();
    let m = testing::setup();
    let run = move |parity: u32| {
        for round in (parity..2 * ROUNDS).step_by(2) {
            loop {
                let seen = m.load_user_u32(word).unwrap();
                if seen == round {
                    break;
                }
                let _ = call(nr::FUTEX, &[word.0, WAIT, seen.into(), 0]);
            }
            write_value(word, &(round + 1)).unwrap();
            call(nr::FUTEX, &[word.0, WAKE, 1]).unwrap();
        }
    };
    let threads = [0, 1].map(|parity| spawn(&own, move || run(parity)));
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(m.load_user_u32(word), Ok(2 * ROUNDS));
}

#[test]
fn a_signal_ends_a_wait() {
    process();
    let own = current().process.clone();
    let word = testing::page();
    let sleeper = spawn(&own, move || call(nr::FUTEX, &[word.0, WAIT, 0, 0]));
    let target = own.threads.lock().values().last().cloned().unwrap();
    thread::sleep(Duration::from_millis(20));
    crate::signal::send_to_thread(&target, crate::signal::Info::kernel(15));
    assert_eq!(sleeper.join().unwrap(), Err(Errno::ERESTARTSYS));
}
