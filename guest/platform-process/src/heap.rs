//! The kernel's heap: a shared mapping, so that it stays common to the processes of a fork, with the allocator's own state
//! inside it. Pages that were never used cost nothing.
#![allow(unsafe_code)] // a global allocator

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use linux_abi::{Errno, nr};
use talc::TalcLock;
use talc::lock_api::{GuardSend, RawMutex};
use talc::source::Manual;

use crate::host;

/// A lock that works across address spaces: its waiters sleep on the word's page, not on its address.
pub(crate) struct FutexLock(AtomicU32);

const UNLOCKED: u32 = 0;
const LOCKED: u32 = 1;
const CONTENDED: u32 = 2;

// SAFETY: the word goes from UNLOCKED to another state in exactly one thread at a time (compare-exchange or swap).
unsafe impl RawMutex for FutexLock {
    #[allow(clippy::declare_interior_mutable_const)] // the trait's way of making one
    const INIT: Self = Self(AtomicU32::new(UNLOCKED));
    type GuardMarker = GuardSend;

    fn lock(&self) {
        if !self.try_lock() {
            while self.0.swap(CONTENDED, Ordering::Acquire) != UNLOCKED {
                // Whatever ends the wait, the loop looks again.
                let _ = host::futex_wait(&self.0, CONTENDED, None, false);
            }
        }
    }

    fn try_lock(&self) -> bool {
        self.0.compare_exchange(UNLOCKED, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    unsafe fn unlock(&self) {
        if self.0.swap(UNLOCKED, Ordering::Release) == CONTENDED {
            host::futex_wake(self.0.as_ptr() as u64, 1);
        }
    }
}

type Heap = TalcLock<FutexLock, Manual>;

/// The program's global allocator.
pub struct SharedHeap;

/// Where the allocator's state lies: at the start of the heap.
static HEAP: AtomicPtr<Heap> = AtomicPtr::new(core::ptr::null_mut());
/// Room for it there.
const STATE: u64 = 4096;
const MFD_CLOEXEC: u64 = 1;

/// Makes the heap at an address.
pub(crate) fn create(at: u64, size: u64) -> Result<(), Errno> {
    // SAFETY: a zero-terminated name; the address range is free by `MAP_FIXED_NOREPLACE`.
    unsafe {
        let name = c"coracle-heap".as_ptr() as u64;
        let fd = host::check(host::call(nr::MEMFD_CREATE, [name, MFD_CLOEXEC, 0, 0, 0, 0]))?;
        host::check(host::call(nr::FTRUNCATE, [fd, size, 0, 0, 0, 0]))?;
        let flags = host::MAP_SHARED | host::MAP_FIXED_NOREPLACE | host::MAP_NORESERVE;
        let protection = host::PROT_READ | host::PROT_WRITE;
        host::check(host::call(nr::MMAP, [at, size, protection, flags, fd, 0]))?;
        host::check(host::call(nr::CLOSE, [fd, 0, 0, 0, 0, 0]))?;
        let heap = at as *mut Heap;
        heap.write(Heap::new(Manual));
        (*heap).lock().claim((at + STATE) as *mut u8, (size - STATE) as usize).ok_or(Errno::ENOMEM)?;
        HEAP.store(heap, Ordering::Release);
    }
    Ok(())
}

fn heap() -> &'static Heap {
    // SAFETY: boot makes the heap before anything allocates; it stays.
    unsafe { &*HEAP.load(Ordering::Relaxed) }
}

// SAFETY: passes everything on to the allocator in the heap.
unsafe impl GlobalAlloc for SharedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { heap().alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { heap().dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { heap().realloc(pointer, layout, size) }
    }
}
