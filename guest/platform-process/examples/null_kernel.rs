//! The smallest kernel that runs a static program: for testing the machine alone. The "image" is the program's ELF file.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::{Errno, nr};
use platform::{
    Kernel, Machine, MapSource, Prot, Registers, StartFailure, Stream, Trap, UserAddr, UserContext, UserRange,
    page_down,
};

platform_process::program!(start);

struct NullKernel(&'static dyn Machine);

static BREAK: AtomicU64 = AtomicU64::new(0x7000_0000);
static SIGNAL: AtomicU64 = AtomicU64::new(0);
static NEXT_MAP: AtomicU64 = AtomicU64::new(0x10_0000_0000);
const STACK_TOP: u64 = 0x20_0000_0000;
const STACK: u64 = 1 << 20;
const STUBS: u64 = 0x3000_0000;
const ARCH_SET_FS: u64 = 0x1002;

fn start(machine: &'static dyn Machine) -> &'static dyn Kernel {
    extern crate alloc;
    alloc::boxed::Box::leak(alloc::boxed::Box::new(NullKernel(machine)))
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    word(bytes, at).map(u64::from_le_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    word(bytes, at).map(u16::from_le_bytes)
}

impl NullKernel {
    fn load(&self) -> Option<UserContext> {
        let elf = self.0.image();
        if elf.first_chunk() != Some(b"\x7fELF") {
            return None;
        }
        let (headers, count) = (u64_at(elf, 32)? as usize, u16_at(elf, 56)? as usize);
        let mut phdr = 0;
        for n in 0..count {
            let h = headers + n * 56;
            let kind = u32::from_le_bytes(word(elf, h)?);
            let flags = u32::from_le_bytes(word(elf, h + 4)?);
            let (offset, at) = (u64_at(elf, h + 8)?, u64_at(elf, h + 16)?);
            if kind == 1 {
                self.segment(flags, offset, at, u64_at(elf, h + 32)?, u64_at(elf, h + 40)?)?;
                if offset == 0 {
                    phdr = at + headers as u64;
                }
            }
        }
        self.stack(u64_at(elf, 24)?, phdr, count as u64)
    }

    fn segment(&self, flags: u32, offset: u64, at: u64, file: u64, memory: u64) -> Option<()> {
        let start = page_down(at);
        let range = UserRange::new(start, at - start + file)?;
        let whole = UserRange::new(start, at - start + memory)?;
        let (exec, write) = (flags & 1 != 0, flags & 2 != 0);
        self.0.map(whole, Prot::RW, MapSource::Anonymous).ok()?;
        self.0.map(range, Prot::RW, MapSource::Image(page_down(offset))).ok()?;
        if exec {
            let needed = self.0.rewrite(range, page_down(offset), None).ok()?;
            if let Some(stubs) = UserRange::new(STUBS, needed) {
                self.0.rewrite(range, page_down(offset), Some(stubs)).ok()?;
            }
        }
        if write && memory > file {
            let zeros = [0; 4096];
            let tail = range.end - (at + file);
            self.0.copy_to_user(UserAddr(at + file), &zeros[..tail as usize]).ok()?;
        }
        self.0.protect(whole, Prot { read: true, write, exec }).ok()
    }

    fn stack(&self, entry: u64, phdr: u64, count: u64) -> Option<UserContext> {
        let range = UserRange::new(STACK_TOP - STACK, STACK)?;
        self.0.map(range, Prot::RW, MapSource::Anonymous).ok()?;
        let name = STACK_TOP - 64;
        self.0.copy_to_user(UserAddr(name), b"program\0").ok()?;
        let words = [1, name, 0, 0, 3, phdr, 4, 56, 5, count, 6, 4096, 9, entry, 23, 0, 25, name, 0, 0];
        let rsp = (STACK_TOP - 4096) & !15;
        for (n, value) in words.iter().enumerate() {
            self.0.copy_to_user(UserAddr(rsp + n as u64 * 8), &u64::to_le_bytes(*value)).ok()?;
        }
        let regs = Registers { rip: entry, rsp, rflags: 0x202, ..Registers::default() };
        Some(UserContext { regs, fs_base: 0, full_restore: 1 })
    }

    fn write(&self, stream: u64, address: u64, len: u64) -> Result<u64, Errno> {
        let mut buffer = [0; 1024];
        let part = &mut buffer[..(len as usize).min(1024)];
        self.0.copy_from_user(UserAddr(address), part)?;
        let stream = if stream == 2 { Stream::Stderr } else { Stream::Stdout };
        self.0.console_write(stream, part).map(|n| n as u64)
    }

    fn call(&self, context: &mut UserContext) -> Result<u64, Errno> {
        let (number, a) = context.call();
        match number as u32 {
            nr::READ => {
                let mut byte = [0];
                self.0.wait_io(true, None);
                let len = self.0.console_read(&mut byte)?;
                self.0.copy_to_user(UserAddr(a[1]), &byte[..len])?;
                Ok(len as u64)
            }
            nr::WRITE => self.write(a[0], a[1], a[2]),
            nr::WRITEV => {
                let mut written = 0;
                for n in 0..a[2] {
                    let mut entry = [0; 16];
                    self.0.copy_from_user(UserAddr(a[1] + n * 16), &mut entry)?;
                    let [at, len] = [0, 8].map(|o| u64_at(&entry, o).unwrap_or(0));
                    written += self.write(a[0], at, len)?;
                }
                Ok(written)
            }
            nr::EXIT | nr::EXIT_GROUP => self.0.exit(a[0] as u8),
            nr::ARCH_PRCTL if a[0] == ARCH_SET_FS => {
                context.fs_base = a[1];
                self.0.set_fs_base(a[1]);
                Ok(0)
            }
            nr::BRK => Ok(self.brk(a[0])),
            nr::MMAP => {
                let range = UserRange::new(NEXT_MAP.fetch_add(a[1] + 0x1_0000, Ordering::Relaxed) & !4095, a[1]);
                let range = range.ok_or(Errno::EINVAL)?;
                self.0.map(range, Prot::RW, MapSource::Anonymous).map(|()| range.start)
            }
            nr::GETPID | nr::SET_TID_ADDRESS => Ok(1),
            nr::GETPPID | nr::MUNMAP | nr::MPROTECT | nr::RT_SIGPROCMASK | nr::RT_SIGACTION => Ok(0),
            nr::GETRANDOM => Ok(a[1]),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn brk(&self, wanted: u64) -> u64 {
        let current = BREAK.load(Ordering::Relaxed);
        let Some(range) = wanted.checked_sub(current).and_then(|len| UserRange::new(current, len)) else {
            return current;
        };
        match self.0.map(range, Prot::RW, MapSource::Anonymous) {
            Ok(()) => {
                BREAK.store(range.end, Ordering::Relaxed);
                wanted
            }
            Err(_) => current,
        }
    }
}

impl Kernel for NullKernel {
    fn syscall(&self, context: &mut UserContext) {
        context.regs.rax = match self.call(context) {
            Ok(value) => value,
            Err(error) => error.to_return() as u64,
        };
    }

    fn trap(&self, _context: &mut UserContext, trap: &Trap) {
        self.0.log(match trap.kind {
            platform::TrapKind::NotMapped => "trap: not mapped",
            platform::TrapKind::Protection => "trap: protection",
            _ => "trap: other",
        });
        self.0.exit(139);
    }

    fn interrupt(&self, _context: &mut UserContext) {
        let signal = SIGNAL.load(Ordering::Relaxed);
        if signal != 0 {
            self.0.exit(128 + signal as u8);
        }
    }

    fn post_signal(&self, signal: u32) {
        SIGNAL.store(signal.into(), Ordering::Relaxed);
    }

    fn boot(&self) -> UserContext {
        self.load().unwrap_or_else(|| self.0.fail_start(StartFailure::NotExecutable, "not a program"))
    }
}
