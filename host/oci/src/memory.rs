//! The program's memory: dlmalloc over a piece of the program's own zeroed data, so that a command that ends in milliseconds
//! maps nothing. Pages that are not used cost nothing. Unsafe because allocators are.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use dlmalloc::Dlmalloc;

/// Enough for every command with a configuration of the usual size; what is above is mapped.
const FIRST: usize = 512 << 10;

#[repr(C, align(4096))]
struct First(UnsafeCell<[u8; FIRST]>);

// SAFETY: the bytes are handed out once, to the one allocator, which is behind a lock.
unsafe impl Sync for First {}

static FIRST_SEGMENT: First = First(UnsafeCell::new([0; FIRST]));

/// Where dlmalloc gets its segments: the static one, then mappings.
struct Segments(AtomicBool);

// SAFETY: every segment that is returned is valid for reads and writes for its whole length, zeroed, and nobody else's; only
// mapped ones are ever given back.
unsafe impl dlmalloc::Allocator for Segments {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        /// Not to be given back or merged.
        const EXTERN: u32 = 1;
        if size <= FIRST && !self.0.swap(true, Ordering::Relaxed) {
            return (FIRST_SEGMENT.0.get().cast(), FIRST, EXTERN);
        }
        let (read_write, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at a place that the kernel chooses touches no memory that is in use.
        let mapped = unsafe { libc::mmap(null_mut(), size, read_write, private, -1, 0) };
        if mapped == libc::MAP_FAILED { (null_mut(), 0, 0) } else { (mapped.cast(), size, 0) }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, segment: *mut u8, size: usize) -> bool {
        // SAFETY: dlmalloc gives back whole segments without the flag above, which were mapped with this size.
        unsafe { libc::munmap(segment.cast(), size) == 0 }
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        4096
    }
}

/// The global allocator.
pub(crate) struct Memory {
    locked: AtomicBool,
    heap: UnsafeCell<Dlmalloc<Segments>>,
}

// SAFETY: the heap is used only while the lock is held.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) const fn new() -> Self {
        let heap = Dlmalloc::new_with_allocator(Segments(AtomicBool::new(false)));
        Self { locked: AtomicBool::new(false), heap: UnsafeCell::new(heap) }
    }

    /// Nearly all commands have one thread; a process is copied (clone3(2)) only while it has one, so never with the lock held.
    fn with<T>(&self, act: impl FnOnce(&mut Dlmalloc<Segments>) -> T) -> T {
        while self.locked.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        // SAFETY: the lock is held, and what is done with the heap calls nothing that allocates.
        let result = act(unsafe { &mut *self.heap.get() });
        self.locked.store(false, Ordering::Release);
        result
    }
}

// SAFETY: dlmalloc keeps the contract; each call passes on what its own caller has promised.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.free(memory, layout.size(), layout.align()) });
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.realloc(memory, layout.size(), layout.align(), size) })
    }
}
