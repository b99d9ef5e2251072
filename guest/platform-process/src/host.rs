//! Typed host calls. Everything goes through the gate; the filter's table says which of them the host lets through.
#![allow(unsafe_code)]

use core::arch::asm;
use core::sync::atomic::AtomicU32;

use linux_abi::{Errno, nr};

use crate::entry::{coracle_gate, coracle_gate_interruptible};

pub(crate) const PROT_READ: u64 = 1;
pub(crate) const PROT_WRITE: u64 = 2;
pub(crate) const PROT_EXEC: u64 = 4;
pub(crate) const MAP_SHARED: u64 = 1;
pub(crate) const MAP_PRIVATE: u64 = 2;
pub(crate) const MAP_FIXED: u64 = 0x10;
pub(crate) const MAP_ANONYMOUS: u64 = 0x20;
pub(crate) const MAP_NORESERVE: u64 = 0x4000;
pub(crate) const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;
pub(crate) const FUTEX_WAKE: u64 = 1;
pub(crate) const FUTEX_WAIT_BITSET: u64 = 9;
pub(crate) const CLOCK_REALTIME: u64 = 0;
pub(crate) const CLOCK_MONOTONIC: u64 = 1;
pub(crate) const CLOCK_PROCESS_CPUTIME_ID: u64 = 2;
pub(crate) const CLOCK_THREAD_CPUTIME_ID: u64 = 3;
pub(crate) const MADV_DONTNEED: u64 = 4;

/// `struct timespec` of the host.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Timespec {
    /// Seconds.
    pub(crate) seconds: i64,
    /// Nanoseconds.
    pub(crate) nanoseconds: i64,
}

impl Timespec {
    pub(crate) fn from_ns(ns: u64) -> Self {
        Self { seconds: (ns / 1_000_000_000) as i64, nanoseconds: (ns % 1_000_000_000) as i64 }
    }

    pub(crate) fn to_ns(self) -> u64 {
        (self.seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(self.nanoseconds as u64)
    }
}

/// `struct pollfd` of the host.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct PollFd {
    pub(crate) fd: i32,
    pub(crate) events: i16,
    pub(crate) revents: i16,
}

/// A host call that signals do not end (unless the host itself lets them).
///
/// # Safety
/// That of the call.
pub(crate) unsafe fn call(number: u32, args: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the gate is a `syscall` and a `ret`; it changes RAX, RCX and R11 only. Calling it needs stack, so no `nostack`.
    unsafe {
        asm!("call {gate}", gate = sym coracle_gate, inlateout("rax") u64::from(number) => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _);
    }
    result
}

/// A host call that gives `EINTR` as soon as a signal is pending for this thread, also one that came before the call.
///
/// # Safety
/// That of the call; GS points to the thread's block.
pub(crate) unsafe fn call_interruptible(number: u32, args: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: as in `call`.
    unsafe {
        asm!("call {gate}", gate = sym coracle_gate_interruptible, inlateout("rax") u64::from(number) => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _);
    }
    result
}

/// The result of a host call as Rust sees it.
pub(crate) fn check(result: i64) -> Result<u64, Errno> {
    Errno::from_return(result).map_or(Ok(result as u64), Err)
}

/// exit_group(2).
pub(crate) fn exit_group(code: u8) -> ! {
    loop {
        // SAFETY: ends the process.
        unsafe { call(nr::EXIT_GROUP, [code.into(), 0, 0, 0, 0, 0]) };
    }
}

/// exit(2): ends the thread.
pub(crate) fn exit_thread() -> ! {
    loop {
        // SAFETY: nothing of the thread is used afterwards; its slot is freed by the host's CLONE_CHILD_CLEARTID.
        unsafe { call(nr::EXIT, [0; 6]) };
    }
}

/// write(2); a signal ends it only while it waits.
pub(crate) fn write(fd: u32, data: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the host reads `data`.
    let result = unsafe { call(nr::WRITE, [fd.into(), data.as_ptr() as u64, data.len() as u64, 0, 0, 0]) };
    check(result).map(|n| n as usize)
}

/// write(2) before GS is set, in the signal handler, or when nothing can be trusted any more.
pub(crate) fn write_raw(fd: u32, data: &[u8]) {
    let mut rest = data;
    while !rest.is_empty() {
        // SAFETY: the host reads `rest`.
        let result = unsafe { call(nr::WRITE, [fd.into(), rest.as_ptr() as u64, rest.len() as u64, 0, 0, 0]) };
        match check(result) {
            Ok(n) => rest = rest.get(n as usize..).unwrap_or(&[]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => return,
        }
    }
}

/// writev(2) of up to 8 parts.
pub(crate) fn writev(fd: u32, parts: &[&[u8]]) -> Result<usize, Errno> {
    let mut vector = [(0u64, 0u64); 8];
    let count = parts.len().min(vector.len());
    for (entry, part) in vector.iter_mut().zip(parts) {
        *entry = (part.as_ptr() as u64, part.len() as u64);
    }
    // SAFETY: the host reads the parts; a pair of words is a `struct iovec`.
    let result = unsafe { call(nr::WRITEV, [fd.into(), vector.as_ptr() as u64, count as u64, 0, 0, 0]) };
    check(result).map(|n| n as usize)
}

/// read(2).
pub(crate) fn read(fd: u32, data: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the host writes into `data`.
    let result = unsafe { call(nr::READ, [fd.into(), data.as_mut_ptr() as u64, data.len() as u64, 0, 0, 0]) };
    check(result).map(|n| n as usize)
}

/// Looks at descriptors without waiting.
pub(crate) fn poll_now(fds: &mut [PollFd]) -> Result<usize, Errno> {
    let zero = Timespec::default();
    let args = [fds.as_mut_ptr() as u64, fds.len() as u64, core::ptr::from_ref(&zero) as u64, 0, 0, 0];
    // SAFETY: the host reads and writes `fds` and reads the timeout.
    check(unsafe { call(nr::PPOLL, args) }).map(|n| n as usize)
}

/// ppoll(2) without a signal mask; interruptible.
pub(crate) fn ppoll(fds: &mut [PollFd], timeout: Option<Timespec>) -> Result<usize, Errno> {
    let timeout = timeout.as_ref().map_or(0, |t| core::ptr::from_ref(t) as u64);
    // SAFETY: the host reads and writes `fds` and reads the timeout.
    let result =
        unsafe { call_interruptible(nr::PPOLL, [fds.as_mut_ptr() as u64, fds.len() as u64, timeout, 0, 0, 0]) };
    check(result).map(|n| n as usize)
}

/// clock_gettime(2), in nanoseconds.
pub(crate) fn clock(id: u64) -> u64 {
    let mut time = Timespec::default();
    // SAFETY: the host writes into `time`.
    unsafe { call(nr::CLOCK_GETTIME, [id, core::ptr::from_mut(&mut time) as u64, 0, 0, 0, 0]) };
    time.to_ns()
}

/// FUTEX_WAIT_BITSET with an absolute monotonic deadline.
pub(crate) fn futex_wait(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<u64>,
    interruptible: bool,
) -> Result<(), Errno> {
    let time = deadline.map(Timespec::from_ns);
    let time = time.as_ref().map_or(0, |t| core::ptr::from_ref(t) as u64);
    let args = [word.as_ptr() as u64, FUTEX_WAIT_BITSET, expected.into(), time, 0, u32::MAX.into()];
    // SAFETY: the host reads the word and the time.
    let result = unsafe { if interruptible { call_interruptible(nr::FUTEX, args) } else { call(nr::FUTEX, args) } };
    check(result).map(drop)
}

/// FUTEX_WAKE.
pub(crate) fn futex_wake(word: u64, count: u32) {
    // SAFETY: only the address counts.
    unsafe { call(nr::FUTEX, [word, FUTEX_WAKE, count.min(i32::MAX as u32).into(), 0, 0, 0]) };
}

/// getrandom(2).
pub(crate) fn random(mut data: &mut [u8]) {
    while !data.is_empty() {
        // SAFETY: the host writes into `data`.
        let result = unsafe { call(nr::GETRANDOM, [data.as_mut_ptr() as u64, data.len() as u64, 0, 0, 0, 0]) };
        if let Ok(n) = check(result) {
            data = &mut data[n as usize..];
        }
    }
}

/// sched_yield(2).
pub(crate) fn yield_now() {
    // SAFETY: no memory is concerned.
    unsafe { call(nr::SCHED_YIELD, [0; 6]) };
}
