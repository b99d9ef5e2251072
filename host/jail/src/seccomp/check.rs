//! Tests of arguments, and the instructions that they become.
//!
//! Classic BPF has 32-bit words, so a test of a 64-bit argument looks at its two halves.

use super::install::Instruction;
use super::tree::{
    JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_EQUAL, JUMP_SET, LOAD_ABSOLUTE, OFFSET_ARGS, jump, statement,
};

pub(super) const AND: u16 = 0x54;

/// How an argument (unsigned) is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Not the same.
    NotEqual,
    /// The argument is smaller.
    Less,
    /// The argument is not greater.
    LessOrEqual,
    /// The argument is greater.
    Greater,
    /// The argument is not smaller.
    GreaterOrEqual,
    /// The bits of the argument that this mask selects are the same as those of the value.
    MaskedEqual(u64),
}

/// A test of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    index: u8,
    comparison: Comparison,
    value: u64,
    low_half: bool,
}

impl Check {
    /// Compares all 64 bits of the argument with this index (0 to 5).
    pub const fn new(index: u8, comparison: Comparison, value: u64) -> Self {
        assert!(index < 6);
        Self { index, comparison, value, low_half: false }
    }

    /// Compares only the low 32 bits of both.
    pub const fn low_half(index: u8, comparison: Comparison, value: u64) -> Self {
        assert!(index < 6);
        Self { index, comparison, value, low_half: true }
    }

    /// Appends the test. It jumps to [`FAILED`], or reaches the end of what is appended if it holds.
    pub(super) fn emit(self, out: &mut Vec<Instruction>) {
        let start = out.len();
        if !self.low_half {
            self.emit_high(out);
        }
        self.emit_low(out);
        let end = out.len();
        for (at, instruction) in out.iter_mut().enumerate().skip(start) {
            for target in [&mut instruction.jt, &mut instruction.jf] {
                if *target == HOLDS {
                    *target = (end - at - 1) as u8;
                }
            }
        }
    }

    /// The high half decides, unless it is equal.
    fn emit_high(self, out: &mut Vec<Instruction>) {
        let value = (self.value >> 32) as u32;
        let load = statement(LOAD_ABSOLUTE, OFFSET_ARGS + 8 * u32::from(self.index) + 4);
        match self.comparison {
            Comparison::Equal => out.extend([load, jump(JUMP_EQUAL, value, 0, FAILED)]),
            Comparison::NotEqual => out.extend([load, jump(JUMP_EQUAL, value, 0, HOLDS)]),
            Comparison::Greater | Comparison::GreaterOrEqual => {
                out.extend([load, jump(JUMP_GREATER, value, HOLDS, 0), jump(JUMP_EQUAL, value, 0, FAILED)]);
            }
            Comparison::Less | Comparison::LessOrEqual => {
                out.extend([load, jump(JUMP_GREATER, value, FAILED, 0), jump(JUMP_EQUAL, value, 0, HOLDS)]);
            }
            Comparison::MaskedEqual(mask) => emit_masked(load, (mask >> 32) as u32, value, out),
        }
    }

    fn emit_low(self, out: &mut Vec<Instruction>) {
        let value = self.value as u32;
        let load = statement(LOAD_ABSOLUTE, OFFSET_ARGS + 8 * u32::from(self.index));
        let test = match self.comparison {
            Comparison::Equal => jump(JUMP_EQUAL, value, 0, FAILED),
            Comparison::NotEqual => jump(JUMP_EQUAL, value, FAILED, 0),
            Comparison::Greater => jump(JUMP_GREATER, value, 0, FAILED),
            Comparison::GreaterOrEqual => jump(JUMP_GREATER_EQUAL, value, 0, FAILED),
            Comparison::Less => jump(JUMP_GREATER_EQUAL, value, FAILED, 0),
            Comparison::LessOrEqual => jump(JUMP_GREATER, value, FAILED, 0),
            Comparison::MaskedEqual(mask) => return emit_masked(load, mask as u32, value, out),
        };
        out.extend([load, test]);
    }
}

/// Stands for "behind the verdict of this alternative" until the distance is known.
pub(super) const FAILED: u8 = u8::MAX;
/// Stands for "behind this check".
const HOLDS: u8 = u8::MAX - 1;

fn emit_masked(load: Instruction, mask: u32, value: u32, out: &mut Vec<Instruction>) {
    match (mask, value & mask) {
        (0, _) => {}
        (_, 0) => out.extend([load, jump(JUMP_SET, mask, FAILED, 0)]),
        (u32::MAX, value) => out.extend([load, jump(JUMP_EQUAL, value, 0, FAILED)]),
        (_, value) => out.extend([load, statement(AND, mask), jump(JUMP_EQUAL, value, 0, FAILED)]),
    }
}
