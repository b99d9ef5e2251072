//! Copies between kernel and application that survive a fault.
//!
//! The copy is one piece of assembly; the signal handler recognises its addresses and sends a faulting copy to its exit.
#![allow(unsafe_code)]

use core::arch::global_asm;
use core::sync::atomic::{AtomicU32, Ordering};

use platform::{UserAddr, UserFault};

use crate::layout;

unsafe extern "C" {
    fn coracle_copy(to: u64, from: u64, len: u64) -> u64;
    fn coracle_load_u32(at: u64) -> i64;
    fn coracle_cmpxchg_u32(at: u64, old: u32, new: u32) -> i64;
    fn coracle_xsave(at: u64, mask_low: u32, mask_high: u32) -> u64;
    fn coracle_xrstor(at: u64, mask_low: u32, mask_high: u32) -> u64;
    fn coracle_user_start();
    fn coracle_user_end();
    fn coracle_user_fault();
}

global_asm!(
    ".pushsection .text.coracle_user,\"ax\",@progbits",
    ".globl coracle_copy, coracle_load_u32, coracle_cmpxchg_u32, coracle_xsave, coracle_xrstor",
    ".globl coracle_user_start, coracle_user_end, coracle_user_fault",
    ".hidden coracle_copy, coracle_load_u32, coracle_cmpxchg_u32, coracle_xsave, coracle_xrstor",
    ".hidden coracle_user_start, coracle_user_end, coracle_user_fault",
    ".balign 16",
    "coracle_user_start:",
    // (rdi to, rsi from, rdx len): words first while that is cheaper than starting a string instruction.
    "coracle_copy:",
    "cmp rdx, 64",
    "ja 4f",
    "2:",
    "cmp rdx, 8",
    "jb 3f",
    "mov rax, [rsi]",
    "mov [rdi], rax",
    "add rsi, 8",
    "add rdi, 8",
    "sub rdx, 8",
    "jmp 2b",
    "3:",
    "test rdx, rdx",
    "je 5f",
    "mov al, [rsi]",
    "mov [rdi], al",
    "inc rsi",
    "inc rdi",
    "dec rdx",
    "jmp 3b",
    "4:",
    "mov rcx, rdx",
    "rep movsb",
    "5:",
    "xor eax, eax",
    "ret",
    // Results are zero-extended 32-bit words; a fault is -1.
    "coracle_load_u32:",
    "mov eax, [rdi]",
    "ret",
    "coracle_cmpxchg_u32:",
    "mov eax, esi",
    "lock cmpxchg [rdi], edx",
    "mov eax, eax",
    "ret",
    "coracle_xsave:",
    "mov eax, esi",
    "xsave64 [rdi]",
    "xor eax, eax",
    "ret",
    "coracle_xrstor:",
    "mov eax, esi",
    "xrstor64 [rdi]",
    "xor eax, eax",
    "ret",
    "coracle_user_end:",
    "coracle_user_fault:",
    "mov rax, -1",
    "ret",
    ".popsection",
);

/// Where to go on after a fault at this instruction, if it belongs to a copy.
pub(crate) fn fix_up(rip: u64) -> Option<u64> {
    let range = coracle_user_start as *const () as u64..coracle_user_end as *const () as u64;
    range.contains(&rip).then_some(coracle_user_fault as *const () as u64)
}

/// Copies from the application.
pub(crate) fn copy_from(from: UserAddr, to: &mut [u8]) -> Result<(), UserFault> {
    let len = to.len() as u64;
    if len == 0 {
        return Ok(());
    }
    // SAFETY: the target is a slice of ours; the source is the application's memory (checked), and a fault ends the copy.
    let done = layout::is_user_range(from.0, len) && unsafe { coracle_copy(to.as_mut_ptr() as u64, from.0, len) } == 0;
    if done { Ok(()) } else { Err(UserFault(from)) }
}

/// Copies to the application.
pub(crate) fn copy_to(to: UserAddr, from: &[u8]) -> Result<(), UserFault> {
    let len = from.len() as u64;
    if len == 0 {
        return Ok(());
    }
    // SAFETY: the target is the application's memory (checked), and a fault ends the copy.
    let done = layout::is_user_range(to.0, len) && unsafe { coracle_copy(to.0, from.as_ptr() as u64, len) } == 0;
    if done { Ok(()) } else { Err(UserFault(to)) }
}

fn is_word(at: UserAddr) -> bool {
    at.0.is_multiple_of(4) && layout::is_user_range(at.0, 4)
}

/// Atomically reads a word.
pub(crate) fn load_u32(at: UserAddr) -> Result<u32, UserFault> {
    // An aligned load is atomic; the fence makes it an acquire one for the compiler too.
    // SAFETY: the word is the application's (checked), and a fault gives -1.
    let value = if is_word(at) { unsafe { coracle_load_u32(at.0) } } else { -1 };
    core::sync::atomic::fence(Ordering::Acquire);
    u32::try_from(value).map_err(|_| UserFault(at))
}

/// Atomic compare-exchange; gives the value seen.
pub(crate) fn cmpxchg_u32(at: UserAddr, old: u32, new: u32) -> Result<u32, UserFault> {
    // SAFETY: as in `load_u32`.
    let value = if is_word(at) { unsafe { coracle_cmpxchg_u32(at.0, old, new) } } else { -1 };
    u32::try_from(value).map_err(|_| UserFault(at))
}

/// XSAVE to the application's memory, which is 64-byte aligned and at least `len` long.
pub(crate) fn xsave(to: UserAddr, len: u64, mask: u64) -> Result<(), UserFault> {
    let usable = to.0.is_multiple_of(64) && layout::is_user_range(to.0, len);
    // SAFETY: the area is the application's (checked), and a fault gives -1.
    let done = usable && unsafe { coracle_xsave(to.0, mask as u32, (mask >> 32) as u32) } == 0;
    if done { Ok(()) } else { Err(UserFault(to)) }
}

/// XRSTOR from the application's memory. Malformed state faults like missing memory.
pub(crate) fn xrstor(from: UserAddr, len: u64, mask: u64) -> Result<(), UserFault> {
    let usable = from.0.is_multiple_of(64) && layout::is_user_range(from.0, len);
    // SAFETY: as in `xsave`. The vector registers are the application's; the kernel does not use them.
    let done = usable && unsafe { coracle_xrstor(from.0, mask as u32, (mask >> 32) as u32) } == 0;
    if done { Ok(()) } else { Err(UserFault(from)) }
}

/// The address of a kernel word for a host futex call.
pub(crate) fn word_address(word: &AtomicU32) -> u64 {
    word.as_ptr() as u64
}
