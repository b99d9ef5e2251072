//! `memcpy`, `memmove` and `memset` for a program without vector registers.
//!
//! The compiler's own run three string instructions for each call, which costs more than most copies of a kernel are worth
//! (structures, packets' headers). Here up to 256 bytes go through general registers, the first and last words overlapping;
//! longer ones through one string instruction, which processors since 2013 do by cache lines.
#![allow(unsafe_code)] // the compiler calls these by name

use core::arch::global_asm;

global_asm!(
    ".pushsection .text.coracle_string,\"ax\",@progbits",
    ".globl coracle_memcpy, coracle_memmove, coracle_memset",
    ".hidden coracle_memcpy, coracle_memmove, coracle_memset",
    ".balign 16",
    "coracle_memmove:",
    // Copying upwards is right unless the target starts inside the source.
    "mov rax, rdi",
    "sub rax, rsi",
    "cmp rax, rdx",
    "jb 70f",
    "coracle_memcpy:",
    "mov rax, rdi",
    "cmp rdx, 16",
    "jb 20f",
    "cmp rdx, 32",
    "ja 15f",
    // 16 to 32 bytes.
    "mov r8, [rsi]",
    "mov r9, [rsi + 8]",
    "mov r10, [rsi + rdx - 16]",
    "mov r11, [rsi + rdx - 8]",
    "mov [rdi], r8",
    "mov [rdi + 8], r9",
    "mov [rdi + rdx - 16], r10",
    "mov [rdi + rdx - 8], r11",
    "ret",
    "15:",
    "cmp rdx, 256",
    "ja 60f",
    // 33 to 256 bytes: blocks of 32; the last is read before it could be overwritten and written at the end.
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "mov rbx, [rsi + rdx - 32]",
    "mov r12, [rsi + rdx - 24]",
    "mov r13, [rsi + rdx - 16]",
    "mov r14, [rsi + rdx - 8]",
    "lea rcx, [rdi + rdx - 32]",
    "12:",
    "mov r8, [rsi]",
    "mov r9, [rsi + 8]",
    "mov r10, [rsi + 16]",
    "mov r11, [rsi + 24]",
    "mov [rdi], r8",
    "mov [rdi + 8], r9",
    "mov [rdi + 16], r10",
    "mov [rdi + 24], r11",
    "add rsi, 32",
    "add rdi, 32",
    "cmp rdi, rcx",
    "jb 12b",
    "mov [rcx], rbx",
    "mov [rcx + 8], r12",
    "mov [rcx + 16], r13",
    "mov [rcx + 24], r14",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "ret",
    "20:",
    "cmp edx, 8",
    "jb 30f",
    "mov r8, [rsi]",
    "mov r9, [rsi + rdx - 8]",
    "mov [rdi], r8",
    "mov [rdi + rdx - 8], r9",
    "ret",
    "30:",
    "cmp edx, 4",
    "jb 40f",
    "mov r8d, [rsi]",
    "mov r9d, [rsi + rdx - 4]",
    "mov [rdi], r8d",
    "mov [rdi + rdx - 4], r9d",
    "ret",
    "40:",
    "test edx, edx",
    "je 50f",
    // 1 to 3 bytes: first, middle, last.
    "movzx r8d, byte ptr [rsi]",
    "movzx r9d, byte ptr [rsi + rdx - 1]",
    "mov ecx, edx",
    "shr ecx",
    "movzx r10d, byte ptr [rsi + rcx]",
    "mov [rdi], r8b",
    "mov [rdi + rcx], r10b",
    "mov [rdi + rdx - 1], r9b",
    "50:",
    "ret",
    "60:",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    // Downwards, by words and then bytes.
    "70:",
    "mov rax, rdi",
    "cmp rdx, 8",
    "jb 74f",
    "72:",
    "mov rcx, [rsi + rdx - 8]",
    "mov [rdi + rdx - 8], rcx",
    "sub rdx, 8",
    "cmp rdx, 8",
    "jae 72b",
    "74:",
    "test rdx, rdx",
    "je 76f",
    "movzx ecx, byte ptr [rsi + rdx - 1]",
    "mov [rdi + rdx - 1], cl",
    "dec rdx",
    "jmp 74b",
    "76:",
    "ret",
    ".balign 16",
    "coracle_memset:",
    "mov r9, rdi",
    "movzx eax, sil",
    "movabs rcx, 0x0101010101010101",
    "imul rax, rcx",
    "cmp rdx, 8",
    "jb 84f",
    "cmp rdx, 256",
    "ja 86f",
    "mov [rdi + rdx - 8], rax",
    "lea rcx, [rdi + rdx - 8]",
    "82:",
    "mov [rdi], rax",
    "add rdi, 8",
    "cmp rdi, rcx",
    "jb 82b",
    "mov rax, r9",
    "ret",
    "84:",
    "test rdx, rdx",
    "je 85f",
    "mov [rdi + rdx - 1], al",
    "dec rdx",
    "jmp 84b",
    "85:",
    "mov rax, r9",
    "ret",
    "86:",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r9",
    "ret",
    ".popsection",
);

// A hosted build (unit tests) has its own.
#[cfg(target_os = "none")]
global_asm!(
    ".globl memcpy, memmove, memset",
    ".set memcpy, coracle_memcpy",
    ".set memmove, coracle_memmove",
    ".set memset, coracle_memset",
);

#[cfg(test)]
mod tests {
    unsafe extern "C" {
        fn coracle_memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
        fn coracle_memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
        fn coracle_memset(to: *mut u8, value: i32, len: usize) -> *mut u8;
    }

    const LENGTHS: std::ops::Range<usize> = 0..600;

    fn pattern() -> Vec<u8> {
        (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn every_length_is_copied_and_nothing_else() {
        let from = pattern();
        for len in LENGTHS {
            let mut to = vec![0xee; 700];
            // SAFETY: both are long enough.
            let result = unsafe { coracle_memcpy(to[3..].as_mut_ptr(), from[5..].as_ptr(), len) };
            assert_eq!(result, to[3..].as_mut_ptr());
            assert_eq!(to[3..3 + len], from[5..5 + len], "{len}");
            assert!(to[..3].iter().chain(&to[3 + len..]).all(|b| *b == 0xee), "{len}");
        }
    }

    #[test]
    fn overlapping_moves_both_ways() {
        for len in LENGTHS {
            for distance in [0usize, 1, 3, 7, 8, 9, 31, 32, 33, 200] {
                for (to, from) in [(1000 + distance, 1000), (1000, 1000 + distance)] {
                    let (mut ours, mut right) = (pattern(), pattern());
                    right.copy_within(from..from + len, to);
                    // SAFETY: both ranges lie in the vector.
                    unsafe { coracle_memmove(ours.as_mut_ptr().add(to), ours.as_ptr().add(from), len) };
                    assert_eq!(ours, right, "{len} bytes from {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn every_length_is_filled_and_nothing_else() {
        for len in LENGTHS {
            let mut to = vec![0xee; 700];
            // SAFETY: it is long enough.
            unsafe { coracle_memset(to[3..].as_mut_ptr(), 0x1_5a, len) };
            assert!(to[3..3 + len].iter().all(|b| *b == 0x5a), "{len}");
            assert!(to[..3].iter().chain(&to[3 + len..]).all(|b| *b == 0xee), "{len}");
        }
    }
}
