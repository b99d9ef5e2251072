//! From the host's execve(2) to the kernel: finds what the launcher handed over, makes stacks and heap, closes the door.
#![allow(unsafe_code)] // raw mappings and the host's start-up block

use core::fmt::Display;
use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};

use boot_info::{BootInfo, Sites};
use linux_abi::{Errno, nr};
use platform::Kernel;

use crate::block::{SLOT, Slot};
use crate::entry::coracle_gate_after;
use crate::filter::{self, Parameters};
use crate::layout::KERNEL_START;
use crate::state::{self, State, state};
use crate::thread::MAX_THREADS;
use crate::time::Clock;
use crate::vector::VectorLayout;
use crate::{fd, heap, host, signal, status, thread, upcall};

const AT_UID: u64 = 11;
const AT_GID: u64 = 13;
const AT_RANDOM: u64 = 25;
const AT_HWCAP2: u64 = 26;
const AT_SYSINFO_EHDR: u64 = 33;
const HWCAP2_FSGSBASE: u64 = 2;
/// Kernel heap of an instance without a memory limit.
const DEFAULT_HEAP: u64 = 64 << 30;
/// Smallest heap that the kernel can start with.
const SMALLEST_HEAP: u64 = 8 << 20;
const STACKS: u64 = MAX_THREADS as u64 * SLOT;
const TIOCSCTTY: u64 = 0x540e;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const SECCOMP_SET_MODE_FILTER: u64 = 1;

static PROGRAM: AtomicU64 = AtomicU64::new(0);
static PROGRAM_SIZE: AtomicU64 = AtomicU64::new(0);

/// Where the kernel's program lies; messages give addresses relative to it.
pub(crate) fn program_base() -> u64 {
    PROGRAM.load(Ordering::Relaxed)
}

/// Its size in bytes.
pub(crate) fn program_size() -> u64 {
    PROGRAM_SIZE.load(Ordering::Relaxed)
}

fn require<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| status::fail(125, format_args!("unikernel: cannot {what}: {error}")))
}

/// What the host's kernel says in the auxiliary vector (getauxval(3)).
#[derive(Default)]
struct Auxiliary {
    vdso: Option<u64>,
    random: u64,
    fsgsbase: bool,
    user: (u32, u32),
}

impl Auxiliary {
    /// # Safety
    /// `stack` is the stack pointer at the program's start.
    unsafe fn read(stack: *const u64) -> Self {
        let mut found = Self::default();
        // SAFETY: argument count, arguments, zero, environment, zero, pairs up to a zero key (execve(2)).
        unsafe {
            let mut at = stack.add(2 + *stack as usize);
            while *at != 0 {
                at = at.add(1);
            }
            at = at.add(1);
            while *at != 0 {
                let value = *at.add(1);
                match *at {
                    AT_UID => found.user.0 = value as u32,
                    AT_GID => found.user.1 = value as u32,
                    AT_RANDOM => found.random = (value as *const u64).read_unaligned(),
                    AT_HWCAP2 => found.fsgsbase = value & HWCAP2_FSGSBASE != 0,
                    AT_SYSINFO_EHDR => found.vdso = Some(value),
                    _ => {}
                }
                at = at.add(2);
            }
        }
        found
    }
}

/// Where the parts of the kernel's window lie: each at a random place of a quarter of its own.
struct Places {
    stacks: u64,
    image: u64,
    heap: u64,
}

impl Places {
    fn choose(random: u64) -> Self {
        const QUARTER: u64 = 4 << 40;
        const STEP: u64 = 2 << 20;
        // Less than half of a quarter, so that what starts there also ends there.
        let place = |n: u64| KERNEL_START + n * QUARTER + ((random >> (n * 20)) & 0xf_ffff) * STEP;
        Self { stacks: place(0), image: place(1), heap: place(2) }
    }
}

/// Maps a descriptor's whole file read-only; `None` at `at`: anywhere.
fn map_file(fd: u32, at: Option<u64>) -> Result<&'static [u8], Errno> {
    let mut stat = [0u64; 18];
    // SAFETY: the host writes 144 bytes of `struct stat`, then maps a file at a free place; the launcher sealed the files
    // or nobody writes to them (an image never changes).
    unsafe {
        host::check(host::call(nr::FSTAT, [fd.into(), stat.as_mut_ptr() as u64, 0, 0, 0, 0]))?;
        let size = stat[6];
        let fixed = if at.is_some() { host::MAP_FIXED_NOREPLACE } else { 0 };
        let args = [at.unwrap_or(0), size, host::PROT_READ, host::MAP_PRIVATE | fixed, fd.into(), 0];
        let address = host::check(host::call(nr::MMAP, args))?;
        Ok(slice::from_raw_parts(address as *const u8, size as usize))
    }
}

fn close(fd: u32) {
    // SAFETY: nothing refers to the descriptor any more.
    unsafe { host::call(nr::CLOSE, [fd.into(), 0, 0, 0, 0, 0]) };
}

/// First half, on the host's stack: gives the first slot's context, which is the top of the stack for the second half.
///
/// # Safety
/// Called once by the program's start with the first stack pointer and the program's range.
pub(crate) unsafe extern "C" fn prepare(stack: *const u64, start: u64, end: u64) -> u64 {
    PROGRAM.store(start, Ordering::Relaxed);
    PROGRAM_SIZE.store(end - start, Ordering::Relaxed);
    // SAFETY: by the contract.
    let auxiliary = unsafe { Auxiliary::read(stack) };
    let places = Places::choose(auxiliary.random);
    let bytes = require(map_file(fd::BOOT_INFO, None), "read the boot information");
    let info = require(BootInfo::decode(bytes), "understand the boot information");
    let image = require(map_file(fd::IMAGE, Some(places.image)), "map the image");
    let table = map_file(fd::TABLE, None).ok().and_then(Sites::new).unwrap_or_default();
    let heap = if info.memory_limit == 0 { DEFAULT_HEAP } else { info.memory_limit.clamp(SMALLEST_HEAP, 1 << 40) };
    require(heap::create(places.heap, heap & !0xfff), "make the kernel's heap");
    require(make_stacks(places.stacks), "make the kernel's stacks");
    close(fd::BOOT_INFO);
    close(fd::TABLE);
    let limit = if info.max_threads == 0 { MAX_THREADS } else { (info.max_threads as usize).min(MAX_THREADS) };
    // SAFETY: there is one thread, and this happens once.
    unsafe {
        // SAFETY (of the calls): no memory is concerned.
        let kick = require(host::check(host::call(nr::EVENTFD2, [0; 6])), "make an eventfd") as u32;
        let process = host::call(nr::GETPID, [0; 6]) as u32;
        state::install(State {
            info,
            image,
            table,
            stacks: places.stacks,
            max_threads: limit,
            process,
            kick,
            fsgsbase: auxiliary.fsgsbase,
            user: auxiliary.user,
            vdso: auxiliary.vdso,
            clock: Clock::find(auxiliary.vdso),
            vector: VectorLayout::detect(),
        });
        let slot = Slot(places.stacks);
        thread::prepare(slot, 0, 0, 0);
        thread::claim_first(process);
        slot.context() as u64
    }
}

fn make_stacks(at: u64) -> Result<(), Errno> {
    let flags = host::MAP_PRIVATE | host::MAP_ANONYMOUS | host::MAP_NORESERVE | host::MAP_FIXED_NOREPLACE;
    // SAFETY: maps a free range.
    host::check(unsafe { host::call(nr::MMAP, [at, STACKS, 0, flags, u64::MAX, 0]) })?;
    thread::open_slot(Slot(at))
}

/// Second half, on the kernel stack of the first thread: starts the kernel, installs the filter, loads the program. When
/// it returns the program's first registers are in the context.
pub(crate) fn run(slot: Slot, start: fn() -> &'static dyn Kernel) {
    thread::enter(slot);
    if state().info.terminal {
        // The launcher made a session; a terminal without an owner becomes its own, so that its keys send signals.
        // SAFETY: no memory is concerned.
        unsafe { host::call(nr::IOCTL, [0, TIOCSCTTY, 0, 0, 0, 0]) };
    }
    require(signal::install(), "install the signal handler");
    let kernel = start();
    // SAFETY: once, before the application.
    unsafe { upcall::install(kernel) };
    require(install_filter(), "install the filter of host calls");
    let mut context = kernel.boot();
    context.full_restore = 1;
    status::started();
    // SAFETY: the slot is this thread's, and nobody else refers to its context.
    unsafe { slot.context().write(context) };
}

fn install_filter() -> Result<(), Errno> {
    let s = state();
    let program = filter::compile(&Parameters {
        gate: coracle_gate_after as *const () as u64,
        process: s.process.into(),
        kick: s.kick.into(),
        stacks: (s.stacks, s.stacks + STACKS),
        network: s.info.network.is_some(),
        volumes: s.info.volumes.count() > 0,
        fsgsbase: s.fsgsbase,
    })
    .map_err(|_| Errno::E2BIG)?;
    // `struct sock_fprog`: the number of instructions, and where they are.
    let descriptor = [program.code().len() as u64, program.code().as_ptr() as u64];
    // SAFETY: the host copies the program.
    unsafe {
        host::check(host::call(nr::PRCTL, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0]))?;
        host::check(host::call(nr::SECCOMP, [SECCOMP_SET_MODE_FILTER, 0, descriptor.as_ptr() as u64, 0, 0, 0]))?;
    }
    Ok(())
}
