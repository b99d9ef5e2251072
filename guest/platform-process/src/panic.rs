//! The end of a broken kernel: a message on standard error, and a status that no program's exit can be confused with
//! (the launcher learns of it on the status pipe).
#![allow(unsafe_code)] // walks the kernel stack

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use platform::Registers;

use crate::block::{SLOT, Slot};
use crate::{fd, host};

/// Collects a line before it is written, so that lines of several threads do not mix.
pub(crate) struct Line {
    bytes: [u8; 480],
    len: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; 480], len: 0 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

fn say(arguments: fmt::Arguments<'_>) {
    let mut line = Line::new();
    let _ = line.write_fmt(arguments);
    let _ = line.write_str("\n");
    host::write_raw(fd::STDERR, line.as_bytes());
}

/// Exit status of an instance whose kernel broke.
const BROKEN: u8 = 125;
/// What the launcher reads on the status pipe.
const REPORT: &[u8] = b"P";

/// For the panic handler of the program: prints the message and a list of return addresses, and ends the instance.
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    begin();
    say(format_args!("coracle-unikernel: kernel panic: {info}"));
    let here = 0u64;
    end(core::ptr::from_ref(&here) as u64)
}

/// An exception inside the kernel.
pub(crate) fn fault(signal: u32, address: u64, r: &Registers) -> ! {
    begin();
    let base = base();
    let kind = match signal {
        7 => "bus error",
        11 => "page fault",
        31 => "forbidden host call",
        _ => "exception",
    };
    say(format_args!(
        "coracle-unikernel: kernel {kind} (signal {signal}) at rip={:#x} (program+{:#x}) address={address:#x}",
        r.rip,
        r.rip.wrapping_sub(base)
    ));
    say(format_args!(
        "  rax={:#x} rbx={:#x} rcx={:#x} rdx={:#x} rsi={:#x} rdi={:#x}",
        r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi
    ));
    say(format_args!(
        "  rsp={:#x} rbp={:#x} r8={:#x} r9={:#x} r10={:#x} r11={:#x}",
        r.rsp, r.rbp, r.r8, r.r9, r.r10, r.r11
    ));
    end(r.rsp)
}

fn base() -> u64 {
    crate::boot::program_base()
}

/// Only the first report counts: a fault while reporting ends at once.
fn begin() {
    static REPORTING: AtomicBool = AtomicBool::new(false);
    if REPORTING.swap(true, Ordering::SeqCst) {
        host::exit_group(BROKEN);
    }
}

/// Prints what looks like return addresses on the stack, as offsets into the program (for addr2line), and ends.
fn end(stack: u64) -> ! {
    let (base, size) = (base(), crate::boot::program_size());
    let mut line = Line::new();
    let _ = line.write_str("  return addresses: program");
    let mut at = stack.next_multiple_of(8);
    let mut found = 0;
    while Slot::around(at) == Slot::around(stack) && at < Slot::around(stack).0 + SLOT - 40 * 1024 && found < 24 {
        // SAFETY: the address lies in the kernel stack, between its current end and its top.
        let value = unsafe { (at as *const u64).read_volatile() };
        if value.wrapping_sub(base) < size {
            let _ = write!(line, " +{:#x}", value - base);
            found += 1;
        }
        at += 8;
    }
    let _ = line.write_str("\n");
    host::write_raw(fd::STDERR, line.as_bytes());
    host::write_raw(fd::STATUS, REPORT);
    host::exit_group(BROKEN)
}
