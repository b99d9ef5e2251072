//! Runs a filter as the kernel does.

use super::check::AND;
use super::install::Program;
use super::tree::{
    JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_EQUAL, JUMP_SET, LOAD_ABSOLUTE, OFFSET_ARCH, OFFSET_ARGS,
    OFFSET_NUMBER, RETURN,
};

/// What a filter sees of a call, `struct seccomp_data` of linux/seccomp.h without the instruction pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// `AUDIT_ARCH_*`.
    pub arch: u32,
    /// The number.
    pub number: u32,
    /// The arguments.
    pub args: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> Option<u32> {
        match offset {
            OFFSET_NUMBER => Some(self.number),
            OFFSET_ARCH => Some(self.arch),
            _ => {
                let at = offset.checked_sub(OFFSET_ARGS)? as usize;
                self.args.get(at / 8).map(|arg| (arg >> (8 * (at % 8))) as u32)
            }
        }
    }
}

impl Program {
    /// The filter's return value (`SECCOMP_RET_*` with its data) for a call, to test a filter without being under it.
    ///
    /// `None` means a program that the kernel would not take: an instruction that no filter of ours holds, or no end.
    pub fn evaluate(&self, call: &Call) -> Option<u32> {
        let mut rest = self.instructions();
        let mut accumulator = 0;
        loop {
            let (instruction, behind) = rest.split_first()?;
            rest = behind;
            let holds = match instruction.code {
                RETURN => return Some(instruction.k),
                LOAD_ABSOLUTE => {
                    accumulator = call.word(instruction.k)?;
                    continue;
                }
                AND => {
                    accumulator &= instruction.k;
                    continue;
                }
                JUMP => {
                    rest = rest.get(instruction.k as usize..)?;
                    continue;
                }
                JUMP_EQUAL => accumulator == instruction.k,
                JUMP_GREATER => accumulator > instruction.k,
                JUMP_GREATER_EQUAL => accumulator >= instruction.k,
                JUMP_SET => accumulator & instruction.k != 0,
                _ => return None,
            };
            rest = rest.get(usize::from(if holds { instruction.jt } else { instruction.jf })..)?;
        }
    }
}
