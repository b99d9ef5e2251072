//! The per-thread block that GS points to, and the slot of memory around it.
//!
//! A slot holds, from low to high addresses: a guard page, the kernel stack, the application's context, the thread block,
//! the stack of the host's signal handler. Slots are aligned to their size, so the handler finds its thread's block from
//! its own stack pointer and need not trust GS.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicUsize};

use platform::{PAGE_SIZE, Trap, UserContext};

/// Size and alignment of a slot in bytes.
pub(crate) const SLOT: u64 = 256 << 10;
/// Size of the handler's stack: room for a frame with the largest vector state (11 KiB with AMX) and the handler itself.
pub(crate) const ALT_STACK: u64 = 40 << 10;
/// The block ends here, on a page boundary; the context and the kernel stack lie below it in the same page.
const BLOCK_END: u64 = SLOT - ALT_STACK;
const BLOCK_SIZE: u64 = 256;

/// What the entry code knows about a thread. The layout's first two words are what stubs and tests rely on.
#[repr(C, align(64))]
pub(crate) struct ThreadBlock {
    /// The block's own address.
    pub(crate) this: u64,
    /// Where stubs jump: `jmp *%gs:8`.
    pub(crate) entry: u64,
    /// The application's context; also the top of the kernel stack.
    pub(crate) context: *mut UserContext,
    /// Scratch of the entry: the application's stack pointer.
    pub(crate) user_rsp: u64,
    /// Scratch of the way out.
    pub(crate) return_rip: u64,
    /// Scratch of the way out.
    pub(crate) return_rsp: u64,
    /// The FS base that is in the processor.
    pub(crate) fs_base: u64,
    /// A signal arrived while the thread was in the kernel and was not yet looked at.
    pub(crate) pending: AtomicU32,
    /// The thread's slot.
    pub(crate) slot: u32,
    /// The kernel's token for the thread.
    pub(crate) token: AtomicUsize,
    /// The exception on the way to the kernel.
    pub(crate) trap: Option<Trap>,
}

/// The offset by which stubs find the entry's address.
pub(crate) const ENTRY_OFFSET: u32 = core::mem::offset_of!(ThreadBlock, entry) as u32;

const _: () = assert!(ENTRY_OFFSET == 8);
const _: () = assert!(size_of::<ThreadBlock>() as u64 <= BLOCK_SIZE);
const _: () = assert!(size_of::<UserContext>().is_multiple_of(16) && BLOCK_END.is_multiple_of(PAGE_SIZE));

/// One slot, by its lowest address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) u64);

impl Slot {
    /// The slot around an address.
    pub(crate) const fn around(address: u64) -> Self {
        Self(address & !(SLOT - 1))
    }

    /// The block's address.
    pub(crate) const fn block(self) -> *mut ThreadBlock {
        (self.0 + BLOCK_END - BLOCK_SIZE) as *mut ThreadBlock
    }

    /// The context's address, which is the top of the kernel stack.
    pub(crate) const fn context(self) -> *mut UserContext {
        (self.0 + BLOCK_END - BLOCK_SIZE - size_of::<UserContext>() as u64) as *mut UserContext
    }

    /// The lowest address of the handler's stack.
    pub(crate) const fn alt_stack(self) -> u64 {
        self.0 + BLOCK_END
    }

    /// Whether the address lies in the kernel stack or the guard page.
    pub(crate) fn holds(self, address: u64) -> bool {
        Self::around(address) == self
    }
}

/// The current thread's block.
pub(crate) fn current() -> *mut ThreadBlock {
    let block: u64;
    // SAFETY: in the kernel GS points to the thread's block, whose first word is its own address.
    unsafe {
        core::arch::asm!("mov {}, gs:[0]", out(reg) block, options(nostack, preserves_flags, readonly));
    }
    block as *mut ThreadBlock
}
