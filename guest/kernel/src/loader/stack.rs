//! The first stack of a program (System V ABI, AMD64 supplement, 3.4.1): arguments, environment, auxiliary vector.

use alloc::vec::Vec;

/// The end of the auxiliary vector, and its tags (`include/uapi/linux/auxvec.h`).
#[allow(missing_docs)]
pub mod tag {
    pub const NULL: u64 = 0;
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const PLATFORM: u64 = 15;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const RANDOM: u64 = 25;
    pub const HWCAP2: u64 = 26;
    pub const EXECFN: u64 = 31;
    pub const SYSINFO_EHDR: u64 = 33;
    pub const MINSIGSTKSZ: u64 = 51;
}

/// What goes onto the stack.
pub struct Contents<'a> {
    /// The arguments.
    pub args: &'a [Vec<u8>],
    /// The environment.
    pub env: &'a [Vec<u8>],
    /// The program's path (`AT_EXECFN`).
    pub path: &'a [u8],
    /// Sixteen random bytes (`AT_RANDOM`).
    pub random: [u8; 16],
    /// The auxiliary vector without what points into the stack and without its end.
    pub auxv: &'a [(u64, u64)],
}

/// The bytes of the stack and where they go.
pub struct Stack {
    /// The stack pointer to start with.
    pub sp: u64,
    /// The bytes from `sp` up to the top that was given.
    pub bytes: Vec<u8>,
    /// The whole auxiliary vector, as bytes.
    pub auxv: Vec<u8>,
}

struct Strings {
    bytes: Vec<u8>,
}

impl Strings {
    fn add(&mut self, text: &[u8]) -> u64 {
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        at
    }
}

/// How many bytes arguments, environment and their pointers may have: a quarter of the stack, as in Linux.
pub fn fits(contents: &Contents<'_>, stack_size: u64) -> bool {
    let strings = contents.args.iter().chain(contents.env).map(|s| s.len() as u64 + 9).sum::<u64>();
    strings <= stack_size / 4 && contents.args.iter().chain(contents.env).all(|s| s.len() < 128 << 10)
}

/// Builds the stack that ends at `top`.
pub fn build(contents: &Contents<'_>, top: u64) -> Stack {
    let mut strings = Strings { bytes: Vec::new() };
    let args: Vec<u64> = contents.args.iter().map(|s| strings.add(s)).collect();
    let env: Vec<u64> = contents.env.iter().map(|s| strings.add(s)).collect();
    let path = strings.add(contents.path);
    let platform = strings.add(b"x86_64");
    let random = strings.bytes.len() as u64;
    strings.bytes.extend_from_slice(&contents.random);
    let strings_at = (top - strings.bytes.len() as u64) & !15;
    let mut auxv: Vec<u64> = contents.auxv.iter().flat_map(|(tag, value)| [*tag, *value]).collect();
    auxv.extend([tag::PLATFORM, strings_at + platform, tag::RANDOM, strings_at + random]);
    auxv.extend([tag::EXECFN, strings_at + path, tag::NULL, 0]);

    let mut words = alloc::vec![args.len() as u64];
    words.extend(args.iter().map(|at| strings_at + at));
    words.push(0);
    words.extend(env.iter().map(|at| strings_at + at));
    words.push(0);
    words.extend(&auxv);
    let sp = (strings_at - words.len() as u64 * 8) & !15;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize((strings_at - sp) as usize, 0);
    bytes.extend_from_slice(&strings.bytes);
    Stack { sp, bytes, auxv: auxv.iter().flat_map(|word| word.to_le_bytes()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_where_the_pointers_say() {
        let args = [b"prog".to_vec(), b"x".to_vec()];
        let env = [b"A=1".to_vec()];
        let contents =
            Contents { args: &args, env: &env, path: b"/bin/prog", random: [7; 16], auxv: &[(tag::PAGESZ, 4096)] };
        let top = 0x7000_0000_0ff3;
        let stack = build(&contents, top);
        assert_eq!(stack.sp % 16, 0);
        assert!(stack.sp + stack.bytes.len() as u64 <= top);
        let word = |n: usize| u64::from_le_bytes(*stack.bytes[n * 8..].first_chunk().unwrap());
        let text = |at: u64| {
            let from = &stack.bytes[(at - stack.sp) as usize..];
            from.split(|b| *b == 0).next().unwrap().to_vec()
        };
        assert_eq!(word(0), 2);
        assert_eq!((text(word(1)), text(word(2)), word(3)), (b"prog".to_vec(), b"x".to_vec(), 0));
        assert_eq!((text(word(4)), word(5)), (b"A=1".to_vec(), 0));
        assert_eq!((word(6), word(7)), (tag::PAGESZ, 4096));
        assert_eq!((word(8), text(word(9))), (tag::PLATFORM, b"x86_64".to_vec()));
        assert_eq!(word(10), tag::RANDOM);
        assert_eq!(stack.bytes[(word(11) - stack.sp) as usize..][..16], [7; 16]);
        assert_eq!((word(12), text(word(13))), (tag::EXECFN, b"/bin/prog".to_vec()));
        assert_eq!((word(14), word(15)), (0, 0));
        assert_eq!(stack.auxv.len(), 5 * 16);
    }
}
