//! A static program without a C library; its first letter of input says what it does.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(99)
}

global_asm!(".globl _start", "_start:", "mov rdi, rsp", "and rsp, -16", "call {main}", "ud2", main = sym main);

/// A call the way compilers make it: the number is loaded right before.
fn call(number: u64, args: [u64; 3]) -> i64 {
    let result: i64;
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            lateout("rcx") _, lateout("r11") _);
    }
    result
}

fn exit(code: u64) -> ! {
    call(231, [code, 0, 0]);
    loop {}
}

fn say(text: &[u8]) {
    call(1, [1, text.as_ptr() as u64, text.len() as u64]);
}

fn getppid() -> i64 {
    let result: i64;
    unsafe { asm!("mov eax, 110", "syscall", out("rax") result, out("rcx") _, out("r11") _) };
    result
}

fn cycles() -> u64 {
    let (low, high): (u64, u64);
    unsafe { asm!("lfence", "rdtsc", out("rax") low, out("rdx") high) };
    high << 32 | low
}

/// Cycles of the cheapest of many rounds, so that neighbours of a busy machine do not count.
fn null_call() -> u64 {
    (0..200)
        .map(|_| {
            let start = cycles();
            (0..1000).for_each(|_| {
                getppid();
            });
            (cycles() - start) / 1000
        })
        .min()
        .unwrap_or(0)
}

fn print(mut number: u64) {
    let mut text = [b'0'; 20];
    let mut at = 20;
    while number != 0 || at == 20 {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    say(&text[at..]);
}

/// All registers but RAX, RCX and R11 survive a call, the vector registers included.
fn registers_survive() -> bool {
    let (mut ok, mut vector): (u64, u64) = (1, 0);
    unsafe {
        asm!(
            "mov {save}, rbx", "mov rbx, 0x1111", "mov r12, 0x2222", "mov r15, 0x3333", "mov r8, 0x4444", "mov r9, 0x5555",
            "mov r10, 0x6666", "mov rdx, 0x7777", "movq xmm7, rdx", "mov eax, 110", "syscall",
            "cmp rbx, 0x1111", "jne 2f", "cmp r12, 0x2222", "jne 2f", "cmp r15, 0x3333", "jne 2f", "cmp r8, 0x4444", "jne 2f",
            "cmp r9, 0x5555", "jne 2f", "cmp r10, 0x6666", "jne 2f", "cmp rdx, 0x7777", "jne 2f", "jmp 3f",
            "2:", "xor {ok:e}, {ok:e}", "3:", "movq {vector}, xmm7", "mov rbx, {save}",
            save = out(reg) _, ok = inout(reg) ok, vector = inout(reg) vector,
            out("rax") _, out("rcx") _, out("r11") _, out("r12") _, out("r15") _, out("r8") _, out("r9") _, out("r10") _,
            out("rdx") _, out("xmm7") _,
        );
    }
    ok == 1 && vector == 0x7777
}

/// Every number from a `syscall` instruction of the application's own must reach the kernel, never the host. Left out: what
/// the test kernel serves with effect, and uretprobe and uprobe (335, 336), which Linux passes by every filter and answers
/// with SIGILL outside of a probe's trampoline.
fn escape_by_instruction() -> bool {
    (0..600u64).filter(|n| ![1, 9, 12, 20, 60, 231, 158, 335, 336].contains(n)).all(|n| {
        let result = call(n, [0, 0, 0]);
        matches!(result, -38 | 0 | 1)
    })
}

/// Finds the kernel's gate behind the entry that GS points to, and makes a host call there.
fn escape_by_gate(number: u64, args: [u64; 2]) -> i64 {
    let result: i64;
    unsafe {
        let mut at: u64;
        asm!("mov {}, gs:[8]", out(reg) at);
        while *(at as *const [u8; 3]) != [0x0f, 0x05, 0xc3] {
            at += 1;
        }
        asm!("call {at}", at = in(reg) at, inlateout("rax") number => result, in("rdi") args[0], in("rsi") args[1],
            lateout("rcx") _, lateout("r11") _, clobber_abi("C"));
    }
    result
}

extern "C" fn main(_stack: *const u64) -> ! {
    let mut letter = [0u8];
    call(0, [0, letter.as_mut_ptr() as u64, 1]);
    match letter[0] {
        b'h' => say(b"hello\n"),
        b'x' => exit(42),
        b'n' => print(null_call()),
        b'r' => exit(!registers_survive() as u64),
        b'i' => exit(!escape_by_instruction() as u64),
        b'f' => exit((call(1, [1, 16, 8]) != -14) as u64),
        b'z' => unsafe { (16 as *mut u8).write_volatile(1) },
        b'w' => {
            say(b"spinning\n");
            loop {
                core::hint::spin_loop();
            }
        }
        // getpid is none of the machine's calls; socket would be the first step out.
        b'g' => exit(escape_by_gate(39, [0, 0]) as u64),
        b's' => exit(escape_by_gate(41, [2, 1]) as u64),
        // Memory outside of the application's range, through a call that is in the table.
        b'm' => exit(escape_by_gate(11, [0x7000_0000_0000, 4096]) as u64),
        _ => exit(98),
    }
    exit(0)
}
