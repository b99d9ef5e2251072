//! The program's first instructions: it is position-independent and relocates itself, for there is no loader.
#![allow(unsafe_code)]

use core::arch::naked_asm;

use platform::{Kernel, Machine, PAGE_SIZE, UserContext};

use crate::block::Slot;
use crate::entry::{coracle_gate, coracle_return};
use crate::machine::MACHINE;
use crate::{boot, host};

unsafe extern "Rust" {
    /// Made by [`crate::program!`].
    safe fn coracle_kernel_start(machine: &'static dyn Machine) -> &'static dyn Kernel;
}

/// Where the host's kernel enters the program.
///
/// # Safety
/// Only the host's kernel calls it.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn _start() -> ! {
    naked_asm!(
        "xor ebp, ebp",
        "mov r12, rsp",
        "lea r13, [rip + __ehdr_start]",
        "and rsp, -16",
        "mov rdi, r13",
        "lea rsi, [rip + _DYNAMIC]",
        "call {relocate}",
        "mov rdi, r12",
        "mov rsi, r13",
        "lea rdx, [rip + _end]",
        "call {prepare}",
        "mov rsp, rax",
        "mov rdi, rax",
        "call {run}",
        "jmp {leave}",
        relocate = sym relocate,
        prepare = sym boot::prepare,
        run = sym run,
        leave = sym coracle_return,
    )
}

unsafe extern "C" fn run(context: *mut UserContext) {
    boot::run(Slot::around(context as u64), || coracle_kernel_start(&MACHINE));
}

const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const R_X86_64_RELATIVE: u64 = 8;
const PT_GNU_RELRO: u32 = 0x6474_e552;

/// Applies the program's own relocations (all are relative), then makes what they touched read-only. Uses no address that
/// would itself need relocation.
unsafe extern "C" fn relocate(base: u64, dynamic: *const [u64; 2]) {
    // SAFETY: the linker's tables of this very program.
    unsafe {
        let (mut table, mut size, mut entry) = (0, 0, dynamic);
        while (*entry)[0] != 0 {
            match *entry {
                [DT_RELA, value] => table = base + value,
                [DT_RELASZ, value] => size = value,
                _ => {}
            }
            entry = entry.add(1);
        }
        let relocations = table as *const [u64; 3];
        for n in 0..(size / 24) as usize {
            let [offset, info, addend] = *relocations.add(n);
            if info == R_X86_64_RELATIVE {
                *((base + offset) as *mut u64) = base + addend;
            }
        }
        seal(base);
    }
}

/// Makes the relocated constants read-only (PT_GNU_RELRO).
unsafe fn seal(base: u64) {
    // SAFETY: the program's own ELF header: 56-byte program headers, their place and number.
    unsafe {
        let headers = base + *((base + 32) as *const u64);
        let count = *((base + 56) as *const u16);
        for n in 0..u64::from(count) {
            let header = headers + n * 56;
            if *(header as *const u32) != PT_GNU_RELRO {
                continue;
            }
            let start = base + *((header + 16) as *const u64);
            let end = (start + *((header + 40) as *const u64)) & !(PAGE_SIZE - 1);
            let start = start & !(PAGE_SIZE - 1);
            if end > start {
                host::call(linux_abi::nr::MPROTECT, [start, end - start, host::PROT_READ, 0, 0, 0]);
            }
        }
    }
    // Keeps the gate's symbol alive in a program that makes no other host call.
    let _ = coracle_gate as *const ();
}
