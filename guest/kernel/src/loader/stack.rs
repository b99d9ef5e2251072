//! The first stack of a program (System V ABI, AMD64 supplement, 3.4.1): arguments, environment, auxiliary vector.

use alloc::vec::Vec;

/// The end of the auxiliary vector, and its tags (`include/uapi/linux/auxvec.h`).
#[allow(missing_docs)]
pub(crate) mod tag {
    pub(crate) const NULL: u64 = 0;
    pub(crate) const PHDR: u64 = 3;
    pub(crate) const PHENT: u64 = 4;
    pub(crate) const PHNUM: u64 = 5;
    pub(crate) const PAGESZ: u64 = 6;
    pub(crate) const BASE: u64 = 7;
    pub(crate) const FLAGS: u64 = 8;
    pub(crate) const ENTRY: u64 = 9;
    pub(crate) const UID: u64 = 11;
    pub(crate) const EUID: u64 = 12;
    pub(crate) const GID: u64 = 13;
    pub(crate) const EGID: u64 = 14;
    pub(crate) const PLATFORM: u64 = 15;
    pub(crate) const HWCAP: u64 = 16;
    pub(crate) const CLKTCK: u64 = 17;
    pub(crate) const SECURE: u64 = 23;
    pub(crate) const RANDOM: u64 = 25;
    pub(crate) const HWCAP2: u64 = 26;
    pub(crate) const EXECFN: u64 = 31;
    pub(crate) const SYSINFO_EHDR: u64 = 33;
    pub(crate) const MINSIGSTKSZ: u64 = 51;
}

/// What goes onto the stack.
pub(crate) struct Contents<'a> {
    /// The arguments.
    pub(crate) args: &'a [Vec<u8>],
    /// The environment.
    pub(crate) env: &'a [Vec<u8>],
    /// The program's path (`AT_EXECFN`).
    pub(crate) path: &'a [u8],
    /// Sixteen random bytes (`AT_RANDOM`).
    pub(crate) random: [u8; 16],
    /// The auxiliary vector without what points into the stack and without its end.
    pub(crate) auxv: &'a [(u64, u64)],
}

/// The bytes of the stack and where they go.
pub(crate) struct Stack {
    /// The stack pointer to start with.
    pub(crate) sp: u64,
    /// The bytes from `sp` up to the top that was given.
    pub(crate) bytes: Vec<u8>,
    /// The whole auxiliary vector, as bytes.
    pub(crate) auxv: Vec<u8>,
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
pub(crate) fn fits(contents: &Contents<'_>, stack_size: u64) -> bool {
    let strings = contents.args.iter().chain(contents.env).map(|s| s.len() as u64 + 9).sum::<u64>();
    strings <= stack_size / 4 && contents.args.iter().chain(contents.env).all(|s| s.len() < 128 << 10)
}

/// Builds the stack that ends at `top`.
pub(crate) fn build(contents: &Contents<'_>, top: u64) -> Stack {
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
