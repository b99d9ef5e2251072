//! Signals: `include/uapi/asm-generic/signal.h`, `siginfo.h` and `arch/x86/include/uapi/asm/{signal,sigcontext,ucontext}.h`.

use crate::abi;

/// The number of signals; they are numbered from 1.
pub const NSIG: u32 = 64;

/// Hang-up.
pub const SIGHUP: u32 = 1;
/// Interrupt from the keyboard.
pub const SIGINT: u32 = 2;
/// Quit from the keyboard.
pub const SIGQUIT: u32 = 3;
/// Illegal instruction.
pub const SIGILL: u32 = 4;
/// Trace trap.
pub const SIGTRAP: u32 = 5;
/// abort(3).
pub const SIGABRT: u32 = 6;
/// Bus error.
pub const SIGBUS: u32 = 7;
/// Arithmetic error.
pub const SIGFPE: u32 = 8;
/// Kill; cannot be caught.
pub const SIGKILL: u32 = 9;
/// User-defined.
pub const SIGUSR1: u32 = 10;
/// Invalid memory reference.
pub const SIGSEGV: u32 = 11;
/// User-defined.
pub const SIGUSR2: u32 = 12;
/// Write to a pipe or connection without reader.
pub const SIGPIPE: u32 = 13;
/// alarm(2).
pub const SIGALRM: u32 = 14;
/// Termination.
pub const SIGTERM: u32 = 15;
/// Coprocessor stack fault (unused).
pub const SIGSTKFLT: u32 = 16;
/// A child changed its state.
pub const SIGCHLD: u32 = 17;
/// Continue.
pub const SIGCONT: u32 = 18;
/// Stop; cannot be caught.
pub const SIGSTOP: u32 = 19;
/// Stop from the keyboard.
pub const SIGTSTP: u32 = 20;
/// Background read from the terminal.
pub const SIGTTIN: u32 = 21;
/// Background write to the terminal.
pub const SIGTTOU: u32 = 22;
/// Urgent data on a socket.
pub const SIGURG: u32 = 23;
/// CPU time limit.
pub const SIGXCPU: u32 = 24;
/// File size limit.
pub const SIGXFSZ: u32 = 25;
/// Virtual timer.
pub const SIGVTALRM: u32 = 26;
/// Profiling timer.
pub const SIGPROF: u32 = 27;
/// The window changed its size.
pub const SIGWINCH: u32 = 28;
/// I/O is possible.
pub const SIGIO: u32 = 29;
/// Power failure.
pub const SIGPWR: u32 = 30;
/// Bad system call.
pub const SIGSYS: u32 = 31;
/// The first real-time signal.
pub const SIGRTMIN: u32 = 32;

/// The names of the standard signals, from number 1 on.
pub const NAMES: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// The handler that means the default action.
pub const SIG_DFL: u64 = 0;
/// The handler that means ignoring.
pub const SIG_IGN: u64 = 1;

/// No SIGCHLD when a child stops.
pub const SA_NOCLDSTOP: u64 = 0x1;
/// No zombies.
pub const SA_NOCLDWAIT: u64 = 0x2;
/// The handler takes three arguments.
pub const SA_SIGINFO: u64 = 0x4;
/// The action has a restorer.
pub const SA_RESTORER: u64 = 0x0400_0000;
/// Run on the alternate stack.
pub const SA_ONSTACK: u64 = 0x0800_0000;
/// Restart interrupted calls.
pub const SA_RESTART: u64 = 0x1000_0000;
/// Do not block the signal while its handler runs.
pub const SA_NODEFER: u64 = 0x4000_0000;
/// Reset to the default when the handler starts.
pub const SA_RESETHAND: u64 = 0x8000_0000;

/// sigprocmask(2): add to the mask.
pub const SIG_BLOCK: u32 = 0;
/// sigprocmask(2): remove from the mask.
pub const SIG_UNBLOCK: u32 = 1;
/// sigprocmask(2): set the mask.
pub const SIG_SETMASK: u32 = 2;

/// sigaltstack(2): the thread runs on the alternate stack.
pub const SS_ONSTACK: u32 = 1;
/// sigaltstack(2): no alternate stack.
pub const SS_DISABLE: u32 = 2;
/// sigaltstack(2): disarm it while a handler runs on it.
pub const SS_AUTODISARM: u32 = 1 << 31;
/// The smallest alternate stack.
pub const MINSIGSTKSZ: u64 = 2048;

/// `si_code`: kill(2).
pub const SI_USER: i32 = 0;
/// `si_code`: the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// `si_code`: sigqueue(3).
pub const SI_QUEUE: i32 = -1;
/// `si_code`: a POSIX timer.
pub const SI_TIMER: i32 = -2;
/// `si_code`: tkill(2), tgkill(2).
pub const SI_TKILL: i32 = -6;
/// `si_code` of SIGSEGV: nothing is mapped there.
pub const SEGV_MAPERR: i32 = 1;
/// `si_code` of SIGSEGV: the mapping does not allow it.
pub const SEGV_ACCERR: i32 = 2;
/// `si_code` of SIGBUS: behind the end of the object.
pub const BUS_ADRERR: i32 = 2;
/// `si_code` of SIGILL: illegal operand.
pub const ILL_ILLOPN: i32 = 2;
/// `si_code` of SIGFPE: integer division by zero.
pub const FPE_INTDIV: i32 = 1;
/// `si_code` of SIGTRAP: breakpoint.
pub const TRAP_BRKPT: i32 = 1;

abi! {
    /// `struct kernel_sigaction` as rt_sigaction(2) takes it.
    pub struct SigAction: 32 {
        /// Address of the handler, or `SIG_DFL`, `SIG_IGN`.
        pub handler: u64,
        /// `SA_*`.
        pub flags: u64,
        /// Where the handler returns to.
        pub restorer: u64,
        /// Signals blocked while the handler runs.
        pub mask: u64,
    }

    /// `siginfo_t`: the head, then the fields of the signal's kind (see `include/uapi/asm-generic/siginfo.h`).
    pub struct SigInfo: 128 {
        /// Signal number.
        pub signo: i32,
        /// An errno.
        pub errno: i32,
        /// Why it was sent.
        pub code: i32,
        /// Alignment of what follows.
        pub pad: i32,
        /// The union: (pid, uid), value; or the address of a fault; or a timer's id, overrun, value.
        pub fields: [u64; 14],
    }

    /// `stack_t` of sigaltstack(2).
    pub struct Stack: 24 {
        /// Lowest address.
        pub sp: u64,
        /// `SS_*`.
        pub flags: u32,
        /// Alignment of what follows.
        pub pad: u32,
        /// Size in bytes.
        pub size: u64,
    }

    /// `struct sigcontext_64`.
    #[allow(missing_docs)]
    pub struct SigContext: 256 {
        pub r8: u64,
        pub r9: u64,
        pub r10: u64,
        pub r11: u64,
        pub r12: u64,
        pub r13: u64,
        pub r14: u64,
        pub r15: u64,
        pub di: u64,
        pub si: u64,
        pub bp: u64,
        pub bx: u64,
        pub dx: u64,
        pub ax: u64,
        pub cx: u64,
        pub sp: u64,
        pub ip: u64,
        pub flags: u64,
        pub cs: u16,
        pub gs: u16,
        pub fs: u16,
        pub ss: u16,
        pub err: u64,
        pub trapno: u64,
        pub oldmask: u64,
        pub cr2: u64,
        pub fpstate: u64,
        pub reserved: [u64; 8],
    }

    /// `struct ucontext` as it stands in a signal frame.
    pub struct UContext: 304 {
        /// `UC_*` flags.
        pub flags: u64,
        /// Zero.
        pub link: u64,
        /// The alternate stack's settings.
        pub stack: Stack,
        /// Registers.
        pub mcontext: SigContext,
        /// The signal mask to return to.
        pub sigmask: u64,
    }

    /// `struct rt_sigframe`: what lies on the stack when a handler starts.
    pub struct RtSigFrame: 440 {
        /// The handler's return address: the restorer.
        pub restorer: u64,
        /// Registers and mask.
        pub uc: UContext,
        /// The signal's information.
        pub info: SigInfo,
    }
}

/// `uc_flags`: the frame's vector state has an XSAVE header (`UC_FP_XSTATE`).
pub const UC_FP_XSTATE: u64 = 1;
/// `uc_flags`: `ss` is saved (`UC_SIGCONTEXT_SS`).
pub const UC_SIGCONTEXT_SS: u64 = 2;
/// `uc_flags`: `ss` is restored strictly (`UC_STRICT_RESTORE_SS`).
pub const UC_STRICT_RESTORE_SS: u64 = 4;
