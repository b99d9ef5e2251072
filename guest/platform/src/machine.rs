use core::sync::atomic::AtomicU32;

use boot_info::BootInfo;
use linux_abi::Errno;

use crate::{Trap, UserAddr, UserContext, UserRange};

/// Page protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Prot {
    pub read: bool,
    pub write: bool,
    pub exec: bool,
}

impl Prot {
    /// No access (`PROT_NONE`).
    pub const NONE: Self = Self { read: false, write: false, exec: false };
    /// Read and write.
    pub const RW: Self = Self { read: true, write: true, exec: false };
    /// Read only.
    pub const R: Self = Self { read: true, write: false, exec: false };
    /// Read and execute.
    pub const RX: Self = Self { read: true, write: false, exec: true };
}

/// What backs a new mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapSource {
    /// Zero-filled private memory.
    Anonymous,
    /// Private copy-on-write pages of the image file from this byte offset (page-aligned).
    Image(u64),
    /// Private copy-on-write pages of an open host file (`handle` of [`Machine::volumes`]).
    HostPrivate(u32, u64),
    /// Shared pages of an open host file: writes reach the file.
    HostShared(u32, u64),
}

/// A point in monotonic time in nanoseconds.
pub type Deadline = u64;

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// Woken, or the word had another value already; look again.
    Woken,
    /// The deadline passed.
    TimedOut,
    /// A signal for this thread or instance arrived.
    Interrupted,
}

/// An application address that could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserFault(pub UserAddr);

impl From<UserFault> for Errno {
    fn from(_: UserFault) -> Self {
        Self::EFAULT
    }
}

/// The console's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Stream {
    Stdin = 0,
    Stdout = 1,
    Stderr = 2,
}

/// What a wait for the outside found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IoReady {
    /// Packets can be received.
    pub packets: bool,
    /// Standard input has data or has ended.
    pub stdin: bool,
    /// [`Machine::kick`] was called.
    pub kicked: bool,
    /// A signal arrived.
    pub interrupted: bool,
    /// The deadline passed.
    pub timed_out: bool,
}

/// A new thread: where it starts and the token that [`Machine::current`] gives in it.
#[derive(Clone, Copy, Debug)]
pub struct ThreadStart {
    /// Its first registers and FS base.
    pub context: UserContext,
    /// The kernel's token for it.
    pub token: usize,
}

/// Why the program could not be started, as exit statuses tell it apart (the convention of `docker run`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StartFailure {
    /// The instance is at fault (no memory, bad configuration): exit status 125.
    Instance = 125,
    /// The program exists but cannot be executed: exit status 126.
    NotExecutable = 126,
    /// The program does not exist in the image: exit status 127.
    NotFound = 127,
}

/// The machine under the kernel. Every method may be called by any thread; none allocates kernel memory.
pub trait Machine: Sync {
    /// What the host told at start.
    fn boot_info(&self) -> &'static BootInfo<'static>;

    // --- application memory -------------------------------------------------------------------------------------------
    /// The addresses that applications may use.
    fn user_space(&self) -> UserRange;
    /// Maps `range`, replacing what is there.
    fn map(&self, range: UserRange, prot: Prot, source: MapSource) -> Result<(), Errno>;
    /// Removes mappings.
    fn unmap(&self, range: UserRange) -> Result<(), Errno>;
    /// Changes the protection of mapped pages.
    fn protect(&self, range: UserRange, prot: Prot) -> Result<(), Errno>;
    /// Gives the pages back; private ones read as zero (or as the file) afterwards (`MADV_DONTNEED`).
    fn discard(&self, range: UserRange) -> Result<(), Errno>;
    /// Copies from the application. A fault is reported, whatever was copied before it.
    fn copy_from_user(&self, from: UserAddr, to: &mut [u8]) -> Result<(), UserFault>;
    /// Copies to the application.
    fn copy_to_user(&self, to: UserAddr, from: &[u8]) -> Result<(), UserFault>;
    /// Atomically reads a word of the application (futex(2)).
    fn load_user_u32(&self, at: UserAddr) -> Result<u32, UserFault>;
    /// Atomic compare-exchange of an application word; gives the value seen.
    fn cmpxchg_user_u32(&self, at: UserAddr, old: u32, new: u32) -> Result<u32, UserFault>;

    // --- the image ----------------------------------------------------------------------------------------------------
    /// The image's EROFS file, mapped read-only for the kernel.
    fn image(&self) -> &'static [u8];

    // --- time, randomness ---------------------------------------------------------------------------------------------
    /// Nanoseconds of CLOCK_MONOTONIC.
    fn monotonic_ns(&self) -> u64;
    /// Nanoseconds of CLOCK_REALTIME.
    fn realtime_ns(&self) -> u64;
    /// CPU time in nanoseconds of this thread, or of the whole instance.
    fn cpu_time_ns(&self, whole_instance: bool) -> u64;
    /// Fills the buffer with random bytes.
    fn random(&self, buffer: &mut [u8]);

    // --- threads ------------------------------------------------------------------------------------------------------
    /// The token of the current thread (0 before the first thread has one).
    fn current(&self) -> usize;
    /// Sets the token of the current thread.
    fn set_current(&self, token: usize);
    /// Starts a thread that enters the application with `start.context`.
    fn start_thread(&self, start: &ThreadStart) -> Result<(), Errno>;
    /// Ends the current thread. `clear` is zeroed and woken as a futex once the thread has left the application's stack.
    fn exit_thread(&self, clear: Option<UserAddr>) -> !;
    /// Ends the instance with an exit status (128 + n for a signal).
    fn exit(&self, code: u8) -> !;
    /// Ends the instance because the program could not be started; the engine gets the class and the message. Only before
    /// [`Kernel::boot`] has returned (its return tells the engine that the program runs).
    fn fail_start(&self, failure: StartFailure, message: &str) -> ! {
        self.log(message);
        self.exit(failure as u8)
    }
    /// Sets the FS base of the current thread for the return to the application.
    fn set_fs_base(&self, base: u64);
    /// Parks the current thread while `*word == expected`.
    fn wait_word(&self, word: &AtomicU32, expected: u32, deadline: Option<Deadline>) -> WaitOutcome;
    /// Wakes up to `count` threads parked on `word`.
    fn wake_word(&self, word: &AtomicU32, count: u32);
    /// Makes another thread enter the kernel soon ([`Kernel::interrupt`]) if it is in the application, or end its wait with
    /// [`WaitOutcome::Interrupted`].
    fn interrupt_thread(&self, token: usize);
    /// Gives the processor to another thread (sched_yield(2)).
    fn yield_now(&self);
    /// The number of CPUs of the instance.
    fn cpus(&self) -> u32;

    // --- the outside ----------------------------------------------------------------------------------------------------
    /// Sleeps until packets, standard input (if `stdin`), a kick, a signal or the deadline. One thread at a time.
    fn wait_io(&self, stdin: bool, deadline: Option<Deadline>) -> IoReady;
    /// Ends a [`Machine::wait_io`] of another thread, or the next one.
    fn kick(&self);
    /// Receives one packet (a virtio-net header of 12 bytes, then the frame), without waiting; `None` if there is none.
    fn receive_packet(&self, buffer: &mut [u8]) -> Option<usize>;
    /// Sends one packet (header and frame, in parts) without waiting; `false` if the queue is full.
    fn send_packet(&self, parts: &[&[u8]]) -> bool;
    /// Writes to the console, waiting if need be: `ERESTARTSYS` if a signal ended the wait.
    fn console_write(&self, stream: Stream, data: &[u8]) -> Result<usize, Errno>;
    /// Reads standard input without waiting: `EAGAIN` if there is nothing.
    fn console_read(&self, data: &mut [u8]) -> Result<usize, Errno>;
    /// The window size of the terminal (columns, rows), if the console is one.
    fn window_size(&self) -> Option<(u16, u16)>;
    /// Sets the terminal's mode, if the console is one whose line discipline is the host's: the kernel's `struct termios`
    /// (36 bytes on x86-64). A machine whose console is none ignores it.
    fn set_terminal(&self, _termios: &[u8; 36]) {}
    /// Writes a message of the kernel itself to the instance's standard error; for panics and traces.
    fn log(&self, message: &str);
    /// A raw call on the host's volumes (openat, pread64, …), allowed only where the instance has volumes. Arguments are the
    /// host's; paths start at `/volumes/<index>` of the empty root. The result is the host's (negative: an error).
    fn volume_call(&self, number: u32, args: [u64; 6]) -> i64;

    // --- vector state (signal frames) -----------------------------------------------------------------------------------
    /// The size in bytes of the XSAVE area that signal frames carry.
    fn vector_state_size(&self) -> usize;
    /// Stores the thread's vector state at an application address (64-byte aligned), as Linux's signal frames hold it.
    fn save_vector_state(&self, to: UserAddr) -> Result<(), UserFault>;
    /// Loads the thread's vector state; malformed state is a fault.
    fn load_vector_state(&self, from: UserAddr) -> Result<(), UserFault>;

    // --- rewriting ------------------------------------------------------------------------------------------------------
    /// Rewrites the system call instructions of a freshly mapped, writable, not yet executable range that shows the image
    /// from byte `image_offset` on. `stubs` is where the machine maps executable stubs: a free range that the kernel
    /// reserved within 1 GiB, or `None` to ask how many bytes are needed. Gives the number of bytes used or needed.
    fn rewrite(&self, text: UserRange, image_offset: u64, stubs: Option<UserRange>) -> Result<u64, Errno>;
    /// Where the application believes to be when its instruction pointer is `rip`: translates addresses in stubs back to the
    /// original code. For what programs see (signal frames, unwinding).
    fn original_rip(&self, rip: u64) -> u64 {
        rip
    }
    /// The opposite of [`Machine::original_rip`]: where to go on when the application asks to continue at `rip` (sigreturn).
    fn resume_rip(&self, rip: u64) -> u64 {
        rip
    }
    /// Where to go on to make the system call again from which the context `rip` comes (`SA_RESTART`), with `rax` set back to
    /// its number. Never subtract 2: the call may have come from a stub.
    fn restart_rip(&self, rip: u64) -> u64 {
        rip.wrapping_sub(2)
    }
    /// The address of a vDSO for the application (AT_SYSINFO_EHDR), if the machine has one.
    fn vdso(&self) -> Option<u64>;
}

/// What a machine calls in the kernel; always on the thread's kernel stack, with the application's vector state untouched.
pub trait Kernel: Sync {
    /// A system call. The result is put into `context.regs.rax`.
    fn syscall(&self, context: &mut UserContext);
    /// An exception in the application.
    fn trap(&self, context: &mut UserContext, trap: &Trap);
    /// The thread was interrupted in the application: look for signals.
    fn interrupt(&self, context: &mut UserContext);
    /// A signal from outside (the engine's `stop`, `kill`, a terminal); may be called in any thread and at any time, so it
    /// only sets bits.
    fn post_signal(&self, signal: u32);
    /// Makes the first thread's context: loads the program. Called once, on the first thread.
    fn boot(&self) -> UserContext;
}
