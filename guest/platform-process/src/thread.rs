//! Host threads and their slots.
#![allow(unsafe_code)] // thread blocks, stacks and segment bases

use core::arch::asm;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use linux_abi::{Errno, nr};
use platform::{PAGE_SIZE, ThreadStart, UserAddr};

use crate::block::{self, ALT_STACK, SLOT, Slot, ThreadBlock};
use crate::entry::{coracle_entry, coracle_thread_start};
use crate::state::state;
use crate::{host, layout, user};

/// The most threads that one instance can have.
pub(crate) const MAX_THREADS: usize = 4096;
/// The one flag word of clone(2) that the filter knows: a thread of this process, its thread pointer, and its id in a word
/// that the host clears when the thread is gone.
pub(crate) const CLONE_FLAGS: u64 = 0x0000_0100 // CLONE_VM
    | 0x0000_0200 // CLONE_FS
    | 0x0000_0400 // CLONE_FILES
    | 0x0000_0800 // CLONE_SIGHAND
    | 0x0001_0000 // CLONE_THREAD
    | 0x0004_0000 // CLONE_SYSVSEM
    | 0x0008_0000 // CLONE_SETTLS
    | 0x0010_0000 // CLONE_PARENT_SETTID
    | 0x0020_0000; // CLONE_CHILD_CLEARTID
/// The signal with which one thread interrupts another. Linux itself never sends it (signal(7): "unused").
pub(crate) const KICK_SIGNAL: u32 = 16;

const ARCH_SET_GS: u64 = 0x1001;
const ARCH_SET_FS: u64 = 0x1002;
const FREE: u32 = 0;
const CLAIMED: u32 = u32::MAX;

/// Host thread ids by slot. Zero: the slot is free. The host itself writes the zero when a thread has left its stack.
static IDS: [AtomicU32; MAX_THREADS] = [const { AtomicU32::new(FREE) }; MAX_THREADS];
/// The kernel's tokens by slot; zero: none.
static TOKENS: [AtomicUsize; MAX_THREADS] = [const { AtomicUsize::new(0) }; MAX_THREADS];
/// Slots below this number have been used, so their memory is accessible.
static USED: AtomicU32 = AtomicU32::new(0);

fn slot(index: usize) -> Slot {
    Slot(state().stacks + index as u64 * SLOT)
}

/// Makes the memory of a slot accessible, all but its guard page.
pub(crate) fn open_slot(slot: Slot) -> Result<(), Errno> {
    let args = [slot.0 + PAGE_SIZE, SLOT - PAGE_SIZE, host::PROT_READ | host::PROT_WRITE, 0, 0, 0];
    // SAFETY: the slot is not in use.
    host::check(unsafe { host::call(nr::MPROTECT, args) }).map(drop)
}

/// Claims slot 0 for the first thread.
pub(crate) fn claim_first(id: u32) {
    IDS[0].store(id, Ordering::Relaxed);
    USED.store(1, Ordering::Relaxed);
}

fn claim() -> Result<usize, Errno> {
    let limit = state().max_threads;
    for (index, id) in IDS.iter().enumerate().take(limit) {
        if id.load(Ordering::Relaxed) == FREE
            && id.compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            let done = open_slot(slot(index));
            if done.is_err() {
                id.store(FREE, Ordering::Release);
            }
            USED.fetch_max(index as u32 + 1, Ordering::Relaxed);
            return done.map(|()| index);
        }
    }
    Err(Errno::EAGAIN)
}

/// Fills the block of a slot.
///
/// # Safety
/// The slot is accessible and nobody uses it.
pub(crate) unsafe fn prepare(slot: Slot, index: usize, token: usize, fs_base: u64) {
    let block = ThreadBlock {
        this: slot.block() as u64,
        entry: coracle_entry as *const () as u64,
        context: slot.context(),
        user_rsp: 0,
        return_rip: 0,
        return_rsp: 0,
        fs_base,
        pending: AtomicU32::new(0),
        slot: index as u32,
        token: AtomicUsize::new(token),
        trap: None,
    };
    // SAFETY: by the contract.
    unsafe { slot.block().write(block) };
    TOKENS[index].store(token, Ordering::Release);
}

/// Starts a thread (clone(2)).
pub(crate) fn start(start: &ThreadStart) -> Result<(), Errno> {
    let index = claim()?;
    let slot = slot(index);
    let mut context = start.context;
    context.full_restore = 1;
    // SAFETY: the slot was claimed, so it is ours alone. The word below the context is where the gate's `ret` finds the
    // address at which the new thread goes on.
    let stack = unsafe {
        prepare(slot, index, start.token, context.fs_base);
        slot.context().write(context);
        let stack = slot.context().cast::<u64>().sub(1);
        stack.write(coracle_thread_start as *const () as u64);
        stack as u64
    };
    let id = IDS[index].as_ptr() as u64;
    // SAFETY: the child gets a stack of its own; the id words live for ever.
    let result = unsafe { host::call(nr::CLONE, [CLONE_FLAGS, stack, id, id, context.fs_base, 0]) };
    host::check(result).map(drop).inspect_err(|_| {
        TOKENS[index].store(0, Ordering::Relaxed);
        IDS[index].store(FREE, Ordering::Release);
    })
}

/// First steps of a thread on its own stack: GS, and the stack of the signal handler.
pub(crate) fn enter(slot: Slot) {
    set_gs_base(slot.block() as u64);
    let stack = [slot.alt_stack(), 0, ALT_STACK];
    // SAFETY: three words are a `stack_t` (its flags are zero); the stack lies in the thread's own slot.
    unsafe { host::call(nr::SIGALTSTACK, [stack.as_ptr() as u64, 0, 0, 0, 0, 0]) };
}

/// Ends the current thread.
pub(crate) fn exit(clear: Option<UserAddr>) -> ! {
    // SAFETY: GS is the thread's block.
    let index = unsafe { (*block::current()).slot } as usize;
    TOKENS[index].store(0, Ordering::Release);
    if let Some(word) = clear
        && user::copy_to(word, &0u32.to_ne_bytes()).is_ok()
    {
        host::futex_wake(word.0, u32::MAX);
    }
    host::exit_thread()
}

/// The token of the current thread.
pub(crate) fn token() -> usize {
    let token: usize;
    // SAFETY: in the kernel GS points to the thread's block.
    unsafe {
        asm!("mov {}, gs:[{offset}]", out(reg) token, offset = const core::mem::offset_of!(ThreadBlock, token),
            options(nostack, preserves_flags, readonly));
    }
    token
}

/// Sets the token of the current thread.
pub(crate) fn set_token(token: usize) {
    // SAFETY: GS is the thread's block, and the fields are atomic or constant.
    let index = unsafe {
        let block = block::current();
        (*block).token.store(token, Ordering::Relaxed);
        (*block).slot as usize
    };
    TOKENS[index].store(token, Ordering::Release);
}

/// Sends the thread with this token into the kernel, or out of its wait.
pub(crate) fn interrupt(token: usize) {
    let used = USED.load(Ordering::Acquire) as usize;
    let Some(index) = TOKENS.iter().take(used).position(|t| t.load(Ordering::Acquire) == token) else { return };
    let id = IDS[index].load(Ordering::Acquire);
    if token != 0 && id != FREE && id != CLAIMED {
        // SAFETY: no memory is concerned; a thread that is gone gives ESRCH.
        unsafe { host::call(nr::TGKILL, [state().process.into(), id.into(), KICK_SIGNAL.into(), 0, 0, 0]) };
    }
}

/// Sets the FS base of the current thread.
pub(crate) fn set_fs_base(base: u64) {
    // SAFETY: GS is the thread's block. The kernel does not use FS, so any canonical base will do; another would fault.
    unsafe {
        (*block::current()).fs_base = base;
        if base >= layout::HOST_END {
            return;
        }
        if state().fsgsbase {
            asm!("wrfsbase {}", in(reg) base, options(nostack, preserves_flags));
        } else {
            host::call(nr::ARCH_PRCTL, [ARCH_SET_FS, base, 0, 0, 0, 0]);
        }
    }
}

fn set_gs_base(base: u64) {
    // SAFETY: the base is the thread's block, which is what the entry code expects in GS.
    unsafe {
        if state().fsgsbase {
            asm!("wrgsbase {}", in(reg) base, options(nostack, preserves_flags));
        } else {
            host::call(nr::ARCH_PRCTL, [ARCH_SET_GS, base, 0, 0, 0, 0]);
        }
    }
}
