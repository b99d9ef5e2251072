//! The way into the kernel and out of it, and the one gate to the host.
//!
//! Everything that runs on a stack which may still be the application's, or that the signal handler must be able to tell
//! from ordinary code by its address, is in one piece of assembly: Rust has no say about where it keeps its stack pointer.
//!
//! - `coracle_entry`: where patched system calls jump to, with SYSCALL's convention: number in RAX, return address in RCX.
//! - `coracle_trapped`, `coracle_interrupted`: where the signal handler sends a thread that it stopped in the application.
//!   The registers are in the thread's context already.
//! - `coracle_return`: back into the application. Restores everything from the context and changes nothing in it, so a
//!   signal that arrives inside is served by starting the return again (`coracle_return` .. `coracle_return_end`).
//! - `coracle_gate`: the only `syscall` instruction whose calls the filter lets through. R11 tells the signal handler
//!   whether the call may be abandoned with `EINTR`.
#![allow(unsafe_code)]

use core::arch::global_asm;
use core::mem::offset_of;

use platform::{Registers, UserContext};

use crate::block::ThreadBlock;

/// Offset of a general register in the context.
macro_rules! reg {
    ($name:ident) => {
        offset_of!(UserContext, regs) + offset_of!(Registers, $name)
    };
}

/// The RFLAGS bits that an application may set: CF PF AF ZF SF DF OF AC ID. Not TF (the trap would hit the kernel's return
/// path) and nothing of the system's.
const USER_FLAGS: u64 = 0x0024_0cd5;

unsafe extern "C" {
    /// Where stubs jump to.
    pub(crate) fn coracle_entry();
    /// Where the signal handler sends a thread that caused an exception.
    pub(crate) fn coracle_trapped();
    /// Where the signal handler sends a thread that it interrupted.
    pub(crate) fn coracle_interrupted();
    /// Start of the way out; expects RSP at the context.
    pub(crate) fn coracle_return();
    /// First address behind the window in which the way out must be started again.
    pub(crate) fn coracle_return_end();
    /// First instruction of a new thread.
    pub(crate) fn coracle_thread_start();
    /// Signal handlers return to this.
    pub(crate) fn coracle_restorer();
    /// A host call that signals may end.
    pub(crate) fn coracle_gate_interruptible();
    /// A host call.
    pub(crate) fn coracle_gate();
    /// The `syscall` instruction of the gate.
    pub(crate) fn coracle_gate_syscall();
    /// Behind it: the instruction pointer that the filter knows.
    pub(crate) fn coracle_gate_after();
    /// First address of this code.
    pub(crate) fn coracle_code_start();
    /// First address behind this code.
    pub(crate) fn coracle_code_end();
}

global_asm!(
    ".pushsection .text.coracle_entry,\"ax\",@progbits",
    ".balign 64",
    ".globl coracle_entry, coracle_trapped, coracle_interrupted, coracle_return, coracle_return_end",
    ".globl coracle_thread_start, coracle_restorer, coracle_gate_interruptible, coracle_gate, coracle_gate_syscall",
    ".globl coracle_gate_after, coracle_code_start, coracle_code_end",
    ".hidden coracle_entry, coracle_trapped, coracle_interrupted, coracle_return, coracle_return_end",
    ".hidden coracle_thread_start, coracle_restorer, coracle_gate_interruptible, coracle_gate, coracle_gate_syscall",
    ".hidden coracle_gate_after, coracle_code_start, coracle_code_end",
    "coracle_code_start:",
    "coracle_entry:",
    "mov gs:[{user_rsp}], rsp",
    "mov rsp, gs:[{context}]",
    "mov [rsp + {rax}], rax",
    "mov rax, gs:[{user_rsp}]",
    "mov [rsp + {rbx}], rbx",
    "mov [rsp + {rcx}], rcx",
    "mov [rsp + {rdx}], rdx",
    "mov [rsp + {rsi}], rsi",
    "mov [rsp + {rdi}], rdi",
    "mov [rsp + {rbp}], rbp",
    "mov [rsp + {rsp_}], rax",
    "mov rax, gs:[{block_fs_base}]",
    "mov [rsp + {r8}], r8",
    "mov [rsp + {r9}], r9",
    "mov [rsp + {r10}], r10",
    "mov [rsp + {r11}], r11",
    "mov [rsp + {r12}], r12",
    "mov [rsp + {r13}], r13",
    "mov [rsp + {r14}], r14",
    "mov [rsp + {r15}], r15",
    "mov [rsp + {rip}], rcx",
    "mov qword ptr [rsp + {rflags}], 0x202",
    "mov [rsp + {fs_base}], rax",
    "mov qword ptr [rsp + {full_restore}], 0",
    "cld",
    "mov rdi, rsp",
    "call {on_syscall}",
    "coracle_return:",
    "cmp dword ptr gs:[{pending}], 0",
    "jne 2f",
    "cmp qword ptr [rsp + {full_restore}], 0",
    "jne 3f",
    "mov rax, [rsp + {rax}]",
    "mov rcx, [rsp + {rip}]",
    "mov rdx, [rsp + {rdx}]",
    "mov rsi, [rsp + {rsi}]",
    "mov rdi, [rsp + {rdi}]",
    "mov r8, [rsp + {r8}]",
    "mov r9, [rsp + {r9}]",
    "mov r10, [rsp + {r10}]",
    "mov rsp, [rsp + {rsp_}]",
    "jmp rcx",
    "3:",
    "mov rax, [rsp + {fs_base}]",
    "cmp rax, gs:[{block_fs_base}]",
    "jne 4f",
    "mov rax, [rsp + {rip}]",
    "mov gs:[{return_rip}], rax",
    "mov rax, [rsp + {rsp_}]",
    "mov gs:[{return_rsp}], rax",
    "mov rax, [rsp + {rflags}]",
    "and eax, {user_flags}",
    "or eax, 0x202",
    "push rax",
    "popfq",
    "mov rax, [rsp + {rax}]",
    "mov rbx, [rsp + {rbx}]",
    "mov rcx, [rsp + {rcx}]",
    "mov rdx, [rsp + {rdx}]",
    "mov rsi, [rsp + {rsi}]",
    "mov rdi, [rsp + {rdi}]",
    "mov rbp, [rsp + {rbp}]",
    "mov r8, [rsp + {r8}]",
    "mov r9, [rsp + {r9}]",
    "mov r10, [rsp + {r10}]",
    "mov r11, [rsp + {r11}]",
    "mov r12, [rsp + {r12}]",
    "mov r13, [rsp + {r13}]",
    "mov r14, [rsp + {r14}]",
    "mov r15, [rsp + {r15}]",
    "mov rsp, gs:[{return_rsp}]",
    "jmp qword ptr gs:[{return_rip}]",
    "coracle_return_end:",
    "2:",
    "mov dword ptr gs:[{pending}], 0",
    "coracle_interrupted:",
    "mov rdi, rsp",
    "call {on_interrupt}",
    "jmp coracle_return",
    "4:",
    "mov rdi, rax",
    "call {on_fs_base}",
    "jmp coracle_return",
    "coracle_trapped:",
    "mov rdi, rsp",
    "call {on_trap}",
    "jmp coracle_return",
    "coracle_thread_start:",
    "mov rdi, rsp",
    "call {on_thread_start}",
    "jmp coracle_return",
    "coracle_restorer:",
    "mov eax, 15",
    "jmp coracle_gate",
    ".balign 16",
    "coracle_gate_interruptible:",
    "mov r11d, 1",
    "cmp dword ptr gs:[{pending}], 0",
    "je coracle_gate_syscall",
    "mov rax, -4",
    "ret",
    "coracle_gate:",
    "xor r11d, r11d",
    "coracle_gate_syscall:",
    "syscall",
    "coracle_gate_after:",
    "ret",
    "coracle_code_end:",
    ".popsection",
    user_rsp = const offset_of!(ThreadBlock, user_rsp),
    context = const offset_of!(ThreadBlock, context),
    block_fs_base = const offset_of!(ThreadBlock, fs_base),
    pending = const offset_of!(ThreadBlock, pending),
    return_rip = const offset_of!(ThreadBlock, return_rip),
    return_rsp = const offset_of!(ThreadBlock, return_rsp),
    rax = const reg!(rax),
    rbx = const reg!(rbx),
    rcx = const reg!(rcx),
    rdx = const reg!(rdx),
    rsi = const reg!(rsi),
    rdi = const reg!(rdi),
    rbp = const reg!(rbp),
    rsp_ = const reg!(rsp),
    r8 = const reg!(r8),
    r9 = const reg!(r9),
    r10 = const reg!(r10),
    r11 = const reg!(r11),
    r12 = const reg!(r12),
    r13 = const reg!(r13),
    r14 = const reg!(r14),
    r15 = const reg!(r15),
    rip = const reg!(rip),
    rflags = const reg!(rflags),
    fs_base = const offset_of!(UserContext, fs_base),
    full_restore = const offset_of!(UserContext, full_restore),
    user_flags = const USER_FLAGS,
    on_syscall = sym crate::upcall::on_syscall,
    on_interrupt = sym crate::upcall::on_interrupt,
    on_fs_base = sym crate::upcall::on_fs_base,
    on_trap = sym crate::upcall::on_trap,
    on_thread_start = sym crate::upcall::on_thread_start,
);
