use linux_abi::nr;

use crate::host;
use crate::layout::{KERNEL_END, KERNEL_START, MAX_LENGTH, USER_END, USER_START};
use crate::thread::{CLONE_FLAGS, KICK_SIGNAL};

/// What differs between instances.
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    /// The address behind the gate's `syscall` instruction.
    pub gate: u64,
    /// The process id.
    pub process: u64,
    /// The eventfd of kicks.
    pub kick: u64,
    /// The thread slots: first address and first address behind them.
    pub stacks: (u64, u64),
    /// There is a TAP device.
    pub network: bool,
    /// There are volumes.
    pub volumes: bool,
    /// The instructions for segment bases may be used.
    pub fsgsbase: bool,
}

/// A number that an argument is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A constant.
    Const(u64),
    /// [`Parameters::process`].
    Process,
    /// [`Parameters::kick`].
    Kick,
    /// [`Parameters::stacks`], the start.
    StacksStart,
    /// [`Parameters::stacks`], the end.
    StacksEnd,
}

impl Value {
    pub(crate) fn resolve(self, parameters: &Parameters) -> u64 {
        match self {
            Self::Const(value) => value,
            Self::Process => parameters.process,
            Self::Kick => parameters.kick,
            Self::StacksStart => parameters.stacks.0,
            Self::StacksEnd => parameters.stacks.1,
        }
    }
}

/// A condition on one argument, as a 64-bit unsigned number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// It is this number.
    Equals(Value),
    /// It is at least the first and below the second number.
    Within(Value, Value),
    /// It has no other bits than these.
    Bits(u64),
}

/// A condition on the argument at an index (0 to 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check(pub u8, pub Test);

/// When a row is part of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// The instance has a network.
    Network,
    /// The instance has volumes.
    Volumes,
    /// The processor lacks instructions for segment bases.
    NoFsgsbase,
}

impl When {
    /// Whether that is so.
    pub const fn applies(self, parameters: &Parameters) -> bool {
        match self {
            Self::Always => true,
            Self::Network => parameters.network,
            Self::Volumes => parameters.volumes,
            Self::NoFsgsbase => !parameters.fsgsbase,
        }
    }
}

/// One allowed form of a host call. Several rows may have the same number: any of them allows the call.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The call's number.
    pub number: u32,
    /// Its conditions; all must hold.
    pub checks: &'static [Check],
    /// When the row applies.
    pub when: When,
    /// What the machine needs it for.
    pub why: &'static str,
}

const fn is(argument: u8, value: u64) -> Check {
    Check(argument, Test::Equals(Value::Const(value)))
}

const fn within(argument: u8, from: u64, to: u64) -> Check {
    Check(argument, Test::Within(Value::Const(from), Value::Const(to)))
}

const fn bits(argument: u8, mask: u64) -> Check {
    Check(argument, Test::Bits(mask))
}

const fn rule(number: u32, checks: &'static [Check], why: &'static str) -> Rule {
    Rule { number, checks, when: When::Always, why }
}

const fn network(number: u32, checks: &'static [Check], why: &'static str) -> Rule {
    Rule { number, checks, when: When::Network, why }
}

const fn volume(number: u32) -> Rule {
    Rule { number, checks: &[], when: When::Volumes, why: "files of volumes; the empty root holds nothing else" }
}

/// Address and length inside the application's range, with guard space behind it.
const ADDRESS: Check = within(0, USER_START, USER_END);
const LENGTH: Check = within(1, 1, MAX_LENGTH + 1);
const PROTECTION: Check = bits(2, host::PROT_READ | host::PROT_WRITE | host::PROT_EXEC);
const NO_FILE: u64 = u64::MAX;
const TAP: u64 = crate::fd::TAP as u64;
const IMAGE: u64 = crate::fd::IMAGE as u64;
const STATUS: u64 = crate::fd::STATUS as u64;
/// Descriptors from here on can only be files of volumes (or harmless: what the launcher passed is below).
const FIRST_FILE: u64 = 8;
const LAST_FILE: u64 = 1 << 20;
const ANONYMOUS: u64 = host::MAP_PRIVATE | host::MAP_ANONYMOUS | host::MAP_FIXED | host::MAP_NORESERVE;
const PRIVATE_FILE: u64 = host::MAP_PRIVATE | host::MAP_FIXED;
const SHARED_FILE: u64 = host::MAP_SHARED | host::MAP_FIXED;
const KICK: Test = Test::Equals(Value::Kick);

/// Every host call of the process machine, the most frequent first.
pub const RULES: &[Rule] = &[
    rule(nr::FUTEX, &[is(1, host::FUTEX_WAKE)], "wake threads"),
    rule(nr::FUTEX, &[is(1, host::FUTEX_WAIT_BITSET)], "park a thread"),
    network(nr::READ, &[is(0, TAP)], "receive a packet"),
    network(nr::WRITEV, &[is(0, TAP)], "send a packet"),
    rule(nr::PPOLL, &[within(1, 1, 4), is(3, 0)], "wait for packets, input, kicks"),
    rule(nr::WRITE, &[within(0, 1, 3)], "console output and messages of the kernel"),
    rule(nr::WRITE, &[Check(0, KICK)], "wake the thread that waits for packets"),
    rule(nr::READ, &[Check(0, KICK)], "take a kick"),
    rule(nr::READ, &[is(0, 0)], "console input"),
    rule(nr::CLOCK_GETTIME, &[within(0, 0, 12)], "clocks that the vDSO cannot read"),
    rule(nr::RT_SIGRETURN, &[], "end of the signal handler"),
    rule(nr::RESTART_SYSCALL, &[], "the host itself resumes a wait after a stop (SIGSTOP, a debugger, a frozen group)"),
    rule(
        nr::MMAP,
        &[ADDRESS, LENGTH, PROTECTION, is(3, ANONYMOUS), is(4, NO_FILE), is(5, 0)],
        "memory of the application",
    ),
    rule(nr::MMAP, &[ADDRESS, LENGTH, PROTECTION, is(3, PRIVATE_FILE), is(4, IMAGE)], "programs of the image"),
    Rule {
        number: nr::MMAP,
        checks: &[ADDRESS, LENGTH, PROTECTION, is(3, PRIVATE_FILE), within(4, FIRST_FILE, LAST_FILE)],
        when: When::Volumes,
        why: "private mappings of files of volumes",
    },
    Rule {
        number: nr::MMAP,
        checks: &[ADDRESS, LENGTH, PROTECTION, is(3, SHARED_FILE), within(4, FIRST_FILE, LAST_FILE)],
        when: When::Volumes,
        why: "shared mappings of files of volumes",
    },
    rule(nr::MPROTECT, &[ADDRESS, LENGTH, PROTECTION], "protection of application memory"),
    rule(
        nr::MPROTECT,
        &[
            Check(0, Test::Within(Value::StacksStart, Value::StacksEnd)),
            within(1, 1, crate::block::SLOT + 1),
            is(2, host::PROT_READ | host::PROT_WRITE),
        ],
        "the kernel stack of a new thread",
    ),
    rule(nr::MUNMAP, &[ADDRESS, LENGTH], "release application memory"),
    rule(nr::MADVISE, &[ADDRESS, LENGTH, is(2, host::MADV_DONTNEED)], "discard application memory"),
    rule(nr::CLONE, &[is(0, CLONE_FLAGS), within(1, KERNEL_START, KERNEL_END)], "a new thread"),
    rule(nr::SIGALTSTACK, &[is(1, 0)], "the handler's stack of a new thread"),
    rule(
        nr::TGKILL,
        &[Check(0, Test::Equals(Value::Process)), is(2, KICK_SIGNAL as u64)],
        "interrupt another thread of this process",
    ),
    rule(nr::SCHED_YIELD, &[], "sched_yield of the application"),
    rule(nr::GETRANDOM, &[is(2, 0)], "random bytes"),
    rule(nr::EXIT, &[], "end of a thread"),
    rule(nr::EXIT_GROUP, &[], "end of the instance"),
    rule(nr::WRITE, &[is(0, STATUS)], "tell the launcher how the start went"),
    rule(nr::IOCTL, &[is(0, 0), is(1, 0x5413)], "the terminal's size (TIOCGWINSZ)"),
    rule(nr::IOCTL, &[is(0, 0), is(1, 0x5402)], "the terminal's mode (TCSETS)"),
    Rule {
        number: nr::ARCH_PRCTL,
        checks: &[within(0, 0x1001, 0x1003)],
        when: When::NoFsgsbase,
        why: "FS and GS base of a thread",
    },
    volume(nr::OPENAT),
    volume(nr::OPENAT2),
    volume(nr::CLOSE),
    volume(nr::PREAD64),
    volume(nr::PWRITE64),
    volume(nr::PREADV),
    volume(nr::PWRITEV),
    volume(nr::FSTAT),
    volume(nr::NEWFSTATAT),
    volume(nr::STATX),
    volume(nr::STATFS),
    volume(nr::FSTATFS),
    volume(nr::GETDENTS64),
    volume(nr::LSEEK),
    volume(nr::FTRUNCATE),
    volume(nr::FALLOCATE),
    volume(nr::FSYNC),
    volume(nr::FDATASYNC),
    volume(nr::MKDIRAT),
    volume(nr::UNLINKAT),
    volume(nr::RENAMEAT2),
    volume(nr::LINKAT),
    volume(nr::SYMLINKAT),
    volume(nr::READLINKAT),
    volume(nr::FCHMOD),
    volume(nr::FCHMODAT),
    volume(nr::FCHOWN),
    volume(nr::FCHOWNAT),
    volume(nr::UTIMENSAT),
    volume(nr::FACCESSAT2),
];
