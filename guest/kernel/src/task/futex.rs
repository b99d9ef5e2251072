//! futex(2).
//!
//! A waiter is known by the address of its word: with one address space, private and shared futexes are the same.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linux_abi::Errno;
use platform::{Deadline, UserAddr, WaitOutcome};

use crate::machine::machine;
use crate::mem::read_value;
use crate::sync::{Mutex, MutexGuard, mutex};
use crate::syscall::Call;
use crate::task::{current, signal_pending};
use crate::wait::Parker;

const WAIT: u32 = 0;
const WAKE: u32 = 1;
const REQUEUE: u32 = 3;
const CMP_REQUEUE: u32 = 4;
const WAKE_OP: u32 = 5;
const WAIT_BITSET: u32 = 9;
const WAKE_BITSET: u32 = 10;
const PRIVATE_FLAG: u32 = 128;
const CLOCK_REALTIME_FLAG: u32 = 256;
const MATCH_ANY: u32 = u32::MAX;

/// One sleeping thread.
struct Waiter {
    /// The word it waits for; requeueing changes it.
    address: AtomicU64,
    bitset: u32,
    woken: AtomicBool,
    parker: Arc<Parker>,
}

const BUCKETS: usize = 64;
static TABLE: [Mutex<Vec<Arc<Waiter>>>; BUCKETS] = [const { mutex(Vec::new()) }; BUCKETS];

fn index(address: u64) -> usize {
    // Words are often the same offset in neighbouring objects: fold the upper bits in.
    let hash = (address >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> 58) as usize % BUCKETS
}

/// A locked queue.
type Bucket = MutexGuard<'static, Vec<Arc<Waiter>>>;

fn bucket(address: u64) -> Bucket {
    TABLE[index(address)].lock()
}

/// futex(2).
pub(super) fn futex(call: &mut Call<'_>) -> Result<i64, Errno> {
    let operation = call.uint(1);
    let (word, value) = (call.addr(0), call.uint(2));
    let command = operation & !(PRIVATE_FLAG | CLOCK_REALTIME_FLAG);
    let realtime = operation & CLOCK_REALTIME_FLAG != 0;
    if !word.0.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    match command {
        WAIT if realtime => Err(Errno::ENOSYS),
        WAIT => wait(word, value, MATCH_ANY, crate::time::deadline_from_user(call.addr(3))?),
        WAIT_BITSET => wait(word, value, bitset(call)?, absolute(call.addr(3), realtime)?),
        WAKE => Ok(wake(word, value, MATCH_ANY)?.into()),
        WAKE_BITSET => Ok(wake(word, value, bitset(call)?)?.into()),
        REQUEUE => requeue(word, call.addr(4), value, call.uint(3), None),
        CMP_REQUEUE => requeue(word, call.addr(4), value, call.uint(3), Some(call.uint(5))),
        WAKE_OP => wake_op(word, call.addr(4), value, call.uint(3), call.uint(5)),
        _ => Err(Errno::ENOSYS),
    }
}

fn bitset(call: &Call<'_>) -> Result<u32, Errno> {
    if call.uint(5) == 0 { Err(Errno::EINVAL) } else { Ok(call.uint(5)) }
}

fn absolute(at: UserAddr, realtime: bool) -> Result<Option<Deadline>, Errno> {
    if at.is_null() {
        return Ok(None);
    }
    let point = read_value::<linux_abi::time::Timespec>(at)?.to_nanos().ok_or(Errno::EINVAL)?;
    Ok(Some(if realtime { crate::time::from_realtime(point) } else { point }))
}

fn wait(word: UserAddr, value: u32, bitset: u32, deadline: Option<Deadline>) -> Result<i64, Errno> {
    let thread = current();
    let waiter = Arc::new(Waiter {
        address: AtomicU64::new(word.0),
        bitset,
        woken: AtomicBool::new(false),
        parker: thread.parker.clone(),
    });
    {
        let mut queue = bucket(word.0);
        // Under the lock: a waker that changed the word before this look has not yet searched the queue.
        if machine().load_user_u32(word)? != value {
            return Err(Errno::EAGAIN);
        }
        thread.parker.reset();
        queue.push(waiter.clone());
    }
    let result = sleep(&waiter, deadline);
    if !waiter.woken.load(Ordering::Acquire) && !leave(&waiter) {
        return Ok(0);
    }
    result
}

fn sleep(waiter: &Waiter, deadline: Option<Deadline>) -> Result<i64, Errno> {
    loop {
        if waiter.woken.load(Ordering::Acquire) {
            return Ok(0);
        }
        if signal_pending() {
            return Err(Errno::ERESTARTSYS);
        }
        let outcome = waiter.parker.park_inside(deadline);
        if outcome == WaitOutcome::TimedOut && !waiter.woken.load(Ordering::Acquire) {
            return Err(Errno::ETIMEDOUT);
        }
    }
}

/// Takes a waiter out of its queue; `false` if it was woken meanwhile.
fn leave(waiter: &Arc<Waiter>) -> bool {
    loop {
        let address = waiter.address.load(Ordering::Acquire);
        let mut queue = bucket(address);
        if waiter.address.load(Ordering::Acquire) != address {
            continue;
        }
        return match queue.iter().position(|w| Arc::ptr_eq(w, waiter)) {
            Some(at) => {
                queue.remove(at);
                true
            }
            None => false,
        };
    }
}

fn wake(word: UserAddr, count: u32, bitset: u32) -> Result<u32, Errno> {
    Ok(wake_in(&mut bucket(word.0), word.0, count, bitset))
}

/// Wakes up to `count` threads that wait for a word.
pub(crate) fn wake_address(word: UserAddr, count: u32) {
    wake_in(&mut bucket(word.0), word.0, count, MATCH_ANY);
}

fn wake_in(queue: &mut Vec<Arc<Waiter>>, address: u64, count: u32, bitset: u32) -> u32 {
    let mut woken = 0;
    queue.retain(|waiter| {
        let meant = waiter.address.load(Ordering::Relaxed) == address && waiter.bitset & bitset != 0;
        if !meant || woken >= count {
            return true;
        }
        woken += 1;
        waiter.woken.store(true, Ordering::Release);
        waiter.parker.unpark();
        false
    });
    woken
}

/// Locks the queues of two words, in the order of the table. The second is `None` if both words share one.
fn two_buckets(first: u64, second: u64) -> (Bucket, Option<Bucket>) {
    match index(first).cmp(&index(second)) {
        core::cmp::Ordering::Equal => (bucket(first), None),
        core::cmp::Ordering::Less => {
            let one = bucket(first);
            let two = bucket(second);
            (one, Some(two))
        }
        core::cmp::Ordering::Greater => {
            let two = bucket(second);
            let one = bucket(first);
            (one, Some(two))
        }
    }
}

fn requeue(from: UserAddr, to: UserAddr, to_wake: u32, to_move: u32, expected: Option<u32>) -> Result<i64, Errno> {
    if !to.0.is_multiple_of(4) || to_wake > i32::MAX as u32 || to_move > i32::MAX as u32 {
        return Err(Errno::EINVAL);
    }
    let (mut source, mut target) = two_buckets(from.0, to.0);
    if let Some(expected) = expected
        && machine().load_user_u32(from)? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let woken = wake_in(&mut source, from.0, to_wake, MATCH_ANY);
    let mut moved = 0;
    source.retain(|waiter| {
        if waiter.address.load(Ordering::Relaxed) != from.0 || moved >= to_move {
            return true;
        }
        moved += 1;
        waiter.address.store(to.0, Ordering::Release);
        match &mut target {
            Some(target) => {
                target.push(waiter.clone());
                false
            }
            None => true,
        }
    });
    Ok(i64::from(woken) + i64::from(moved))
}

fn wake_op(first: UserAddr, second: UserAddr, count: u32, count2: u32, encoded: u32) -> Result<i64, Errno> {
    if !second.0.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let operation = Operation::decode(encoded).ok_or(Errno::ENOSYS)?;
    let (mut one, mut two) = two_buckets(first.0, second.0);
    let old = operation.apply(second)?;
    let mut woken = wake_in(&mut one, first.0, count, MATCH_ANY);
    if operation.holds(old) {
        woken += wake_in(two.as_mut().unwrap_or(&mut one), second.0, count2, MATCH_ANY);
    }
    Ok(woken.into())
}

/// What FUTEX_WAKE_OP does to the second word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operation {
    op: u32,
    argument: i32,
    cmp: u32,
    compared: i32,
}

impl Operation {
    fn decode(word: u32) -> Option<Self> {
        let signed12 = |value: u32| ((value << 20) as i32) >> 20;
        let (op, cmp) = (word >> 28, word >> 24 & 0xf);
        let argument = signed12(word >> 12 & 0xfff);
        // Bit 3: the argument is the number of a bit.
        let argument = if op & 8 != 0 { 1i32.checked_shl(argument as u32 & 31)? } else { argument };
        (op & 7 <= 4 && cmp <= 5).then_some(Self { op: op & 7, argument, cmp, compared: signed12(word & 0xfff) })
    }

    fn apply(self, at: UserAddr) -> Result<u32, Errno> {
        let mut old = machine().load_user_u32(at)?;
        loop {
            let argument = self.argument as u32;
            let new = match self.op {
                0 => argument,
                1 => old.wrapping_add(argument),
                2 => old | argument,
                3 => old & !argument,
                _ => old ^ argument,
            };
            let seen = machine().cmpxchg_user_u32(at, old, new)?;
            if seen == old {
                return Ok(old);
            }
            old = seen;
        }
    }

    fn holds(self, old: u32) -> bool {
        let old = old as i32;
        match self.cmp {
            0 => old == self.compared,
            1 => old != self.compared,
            2 => old < self.compared,
            3 => old <= self.compared,
            4 => old > self.compared,
            _ => old >= self.compared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_decoded() {
        // FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GT, 1), as glibc used it.
        let op = Operation::decode(0x0400_0001).unwrap();
        assert_eq!(op, Operation { op: 0, argument: 0, cmp: 4, compared: 1 });
        assert!(op.holds(2) && !op.holds(1));
        let shift = Operation::decode(0xa000_4fff).unwrap();
        assert_eq!((shift.op, shift.argument, shift.compared), (2, 1 << 4, -1));
        assert!(Operation::decode(0x5000_0000).is_none() && Operation::decode(0x0600_0000).is_none());
    }
}
