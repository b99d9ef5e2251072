//! Signals of the host. The handler decides nothing: it looks where the thread was and sends it into the kernel by the
//! normal way, with the vector registers that the host restores on the way out of the handler.
//!
//! | where the thread was | what happens |
//! |---|---|
//! | application, `syscall` instruction (SIGSYS) | goes on at the entry, as if it had been rewritten |
//! | application, exception | registers to the context, goes on in `coracle_trapped` |
//! | application, any other signal | registers to the context, goes on in `coracle_interrupted` |
//! | on the way out of the kernel | the way out starts again |
//! | at the gate, before an interruptible host call | the call gives EINTR |
//! | elsewhere in the kernel | a mark is set that the way out and the gate look at |
//! | a copy from or to the application, exception | the copy ends with a fault |
//! | elsewhere in the kernel, exception | the kernel is broken: message, end |
#![allow(unsafe_code)]

use linux_abi::{Errno, nr};
use platform::{Trap, TrapKind, UserAddr, UserContext};

use crate::block::{Slot, ThreadBlock};
use crate::entry;
use crate::{host, panic, pending, thread, upcall, user};

const SIGQUIT: u32 = 3;
const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;
const SIGABRT: u32 = 6;
const SIGBUS: u32 = 7;
const SIGFPE: u32 = 8;
const SIGUSR1: u32 = 10;
const SIGSEGV: u32 = 11;
const SIGUSR2: u32 = 12;
const SIGPIPE: u32 = 13;
const SIGALRM: u32 = 14;
const SIGTERM: u32 = 15;
const SIGCONT: u32 = 18;
const SIGTSTP: u32 = 20;
const SIGURG: u32 = 23;
const SIGWINCH: u32 = 28;
const SIGSYS: u32 = 31;

/// What is posted to the kernel. SIGCHLD and the rest keep the host's default, as the first process of a PID namespace
/// that ignores them does.
const HANDLED: [u32; 20] = [
    1,
    2,
    SIGQUIT,
    SIGILL,
    SIGTRAP,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGUSR1,
    SIGSEGV,
    SIGUSR2,
    SIGALRM,
    SIGTERM,
    thread::KICK_SIGNAL,
    SIGCONT,
    SIGTSTP,
    SIGURG,
    24,
    SIGWINCH,
    SIGSYS,
];

const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;
const SA_ONSTACK: u64 = 0x0800_0000;
const SIG_IGN: u64 = 1;
const RFLAGS_DEFAULT: u64 = 0x202;

/// `siginfo_t` of the host, as far as it is read.
#[repr(C)]
struct Info {
    signo: i32,
    errno: i32,
    code: i32,
    pad: i32,
    address: u64,
    syscall: i32,
}

/// `struct ucontext` with the `sigcontext` in it (`arch/x86/include/uapi/asm/sigcontext.h`).
#[repr(C)]
struct Frame {
    flags: u64,
    link: u64,
    stack: [u64; 3],
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    segments: u64,
    error: u64,
    number: u64,
    mask: u64,
    cr2: u64,
}

const _: () =
    assert!(core::mem::offset_of!(Frame, rip) == 40 + 16 * 8 && core::mem::offset_of!(Frame, cr2) == 40 + 22 * 8);

/// Installs the handler.
pub(crate) fn install() -> Result<(), Errno> {
    for signal in HANDLED {
        action(signal, handler as *const () as u64, SA_SIGINFO | SA_ONSTACK)?;
    }
    action(SIGPIPE, SIG_IGN, 0)
}

fn action(signal: u32, handler: u64, flags: u64) -> Result<(), Errno> {
    let restorer = entry::coracle_restorer as *const () as u64;
    let action = [handler, flags | SA_RESTORER, restorer, u64::MAX];
    // SAFETY: four words are the host's `struct sigaction`.
    host::check(unsafe { host::call(nr::RT_SIGACTION, [signal.into(), action.as_ptr() as u64, 0, 8, 0, 0]) }).map(drop)
}

fn address(code: unsafe extern "C" fn()) -> u64 {
    code as *const () as u64
}

/// The handler. Runs on the thread's own stack for it, with every signal blocked.
unsafe extern "C" fn handler(signal: u32, info: *const Info, frame: *mut Frame) {
    // SAFETY: the host gives both, and nobody else knows them.
    let (info, frame) = unsafe { (&*info, &mut *frame) };
    let slot = Slot::around(core::ptr::from_ref(frame) as u64);
    let in_code = (address(entry::coracle_code_start)..address(entry::coracle_code_end)).contains(&frame.rip);
    let in_kernel = in_code || slot.holds(frame.rsp);
    match (exception(signal, info), in_kernel) {
        (true, true) => kernel_exception(signal, info, frame, slot),
        (true, false) if signal == SIGSYS => trapped_call(frame),
        (true, false) => {
            let trap = describe(signal, info, frame);
            // SAFETY: the slot is the current thread's, whose kernel stack is empty.
            unsafe { (*slot.block()).trap = Some(trap) };
            leave_application(frame, slot, address(entry::coracle_trapped));
        }
        (false, _) => {
            if signal != thread::KICK_SIGNAL {
                upcall::post_signal(signal);
            }
            if in_kernel {
                interrupted_kernel(frame, slot)
            } else {
                leave_application(frame, slot, address(entry::coracle_interrupted));
            }
        }
    }
}

/// Whether the processor (or the filter) raised it, not somebody's kill(2).
fn exception(signal: u32, info: &Info) -> bool {
    matches!(signal, SIGSEGV | SIGBUS | SIGILL | SIGFPE | SIGTRAP | SIGSYS) && info.code > 0
}

/// A `syscall` instruction that is not rewritten: the host has put back RAX; RCX and R11 are as SYSCALL leaves them.
fn trapped_call(frame: &mut Frame) {
    frame.rcx = frame.rip;
    frame.rip = address(entry::coracle_entry);
}

/// Stores the application's registers and sends the thread to `target` on its kernel stack.
fn leave_application(frame: &mut Frame, slot: Slot, target: u64) {
    let context = slot.context();
    // SAFETY: the thread was in the application, so its kernel stack is empty and the context is free.
    unsafe {
        let fs_base = (*slot.block()).fs_base;
        context.write(UserContext { regs: registers(frame), fs_base, full_restore: 1 });
    }
    frame.rsp = context as u64;
    frame.rip = target;
    frame.rflags = RFLAGS_DEFAULT;
}

fn registers(f: &Frame) -> platform::Registers {
    platform::Registers {
        rax: f.rax,
        rbx: f.rbx,
        rcx: f.rcx,
        rdx: f.rdx,
        rsi: f.rsi,
        rdi: f.rdi,
        rbp: f.rbp,
        rsp: f.rsp,
        r8: f.r8,
        r9: f.r9,
        r10: f.r10,
        r11: f.r11,
        r12: f.r12,
        r13: f.r13,
        r14: f.r14,
        r15: f.r15,
        rip: f.rip,
        rflags: f.rflags,
    }
}

/// A signal met the kernel: nothing of it may be lost.
fn interrupted_kernel(frame: &mut Frame, slot: Slot) {
    let way_out = address(entry::coracle_return)..address(entry::coracle_return_end);
    let before_call = address(entry::coracle_gate_interruptible)..address(entry::coracle_gate);
    let block: *mut ThreadBlock = slot.block();
    // SAFETY: the slot is the current thread's.
    unsafe { pending::mark(block) };
    if way_out.contains(&frame.rip) {
        frame.rip = way_out.start;
        frame.rsp = slot.context() as u64;
    } else if before_call.contains(&frame.rip) || (frame.rip == address(entry::coracle_gate_syscall) && frame.r11 == 1)
    {
        frame.rax = Errno::EINTR.to_return() as u64;
        frame.rip = address(entry::coracle_gate_after);
    }
}

fn kernel_exception(signal: u32, info: &Info, frame: &mut Frame, slot: Slot) {
    if matches!(signal, SIGSEGV | SIGBUS)
        && let Some(exit) = user::fix_up(frame.rip)
    {
        frame.rip = exit;
        return;
    }
    // The host's vDSO makes a real call where the clock cannot be read from user space.
    if signal == SIGSYS && info.syscall as u32 == nr::CLOCK_GETTIME && slot.holds(frame.rsp) {
        // SAFETY: the vDSO passes a timespec of the kernel's.
        frame.rax = unsafe { host::call(nr::CLOCK_GETTIME, [frame.rdi, frame.rsi, 0, 0, 0, 0]) } as u64;
        return;
    }
    panic::fault(signal, info.address, &registers(frame))
}

fn describe(signal: u32, info: &Info, frame: &Frame) -> Trap {
    let kind = match (signal, info.code) {
        (SIGSEGV, 1) => TrapKind::NotMapped,
        (SIGSEGV, 2) => TrapKind::Protection,
        (SIGBUS, _) => TrapKind::Bus,
        (SIGILL, _) => TrapKind::IllegalInstruction,
        (SIGFPE, _) => TrapKind::Arithmetic,
        (SIGTRAP, _) => TrapKind::Debug,
        _ => TrapKind::Other,
    };
    let addr = UserAddr(if signal == SIGTRAP { frame.rip } else { info.address });
    Trap { kind, addr, number: frame.number, error_code: frame.error }
}
