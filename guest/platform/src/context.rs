use crate::UserAddr;

/// The general registers of an application thread, in the order in which the entry code stores them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Registers {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub rsp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    pub rflags: u64,
}

/// An application thread stopped in the kernel: its registers, and how to go back.
///
/// Vector and floating-point state stay in the processor: the kernel is built without them (soft float).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct UserContext {
    /// The registers. On a system call `rax` holds the number on entry and the result on return, `rcx` = `rip`.
    pub regs: Registers,
    /// The application's FS base (its thread pointer).
    pub fs_base: u64,
    /// Return by restoring *every* register exactly. Without it `rcx` and `r11` may be lost, as SYSCALL loses them. The
    /// machine sets it when the thread came in by a fault or an interrupt; the kernel sets it when it changes more than `rax`.
    pub full_restore: u64,
}

impl UserContext {
    /// The number of the call and its six arguments, by the x86-64 convention of syscall(2).
    pub fn call(&self) -> (u64, [u64; 6]) {
        let r = &self.regs;
        (r.rax, [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9])
    }
}

/// A processor exception of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What happened.
    pub kind: TrapKind,
    /// The address concerned (page faults), else the instruction's.
    pub addr: UserAddr,
    /// The processor's exception number (`si_trapno`, `trapno` of `struct sigcontext`).
    pub number: u64,
    /// The processor's error code.
    pub error_code: u64,
}

/// The classes of exception that signals tell apart (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapKind {
    /// Page fault on memory that is not mapped: SIGSEGV, SEGV_MAPERR.
    NotMapped,
    /// Page fault on memory that is mapped otherwise: SIGSEGV, SEGV_ACCERR.
    Protection,
    /// Access behind the end of a mapped file, or other bus error: SIGBUS.
    Bus,
    /// Invalid opcode or privileged instruction: SIGILL.
    IllegalInstruction,
    /// Division by zero and other arithmetic exceptions: SIGFPE.
    Arithmetic,
    /// Breakpoint or single step: SIGTRAP.
    Debug,
    /// General protection fault and the rest: SIGSEGV with SI_KERNEL.
    Other,
}
