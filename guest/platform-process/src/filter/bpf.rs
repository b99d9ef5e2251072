use super::{Check, Parameters, RULES, Rule, Test};

/// One instruction of classic BPF (`struct sock_filter` of `linux/filter.h`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// The operation.
    pub code: u16,
    /// Instructions to skip if a comparison holds.
    pub jt: u8,
    /// Instructions to skip if it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

const CAPACITY: usize = 1024;

/// A filter.
#[derive(Debug)]
pub struct Program {
    code: [Instruction; CAPACITY],
    len: usize,
}

/// The table does not fit a filter: a mistake in the table, found by the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

// Operations and results: linux/bpf_common.h, linux/seccomp.h, linux/audit.h.
const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const TRAP: u32 = 0x0003_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const POINTER: u32 = 8;
const ARGUMENTS: u32 = 16;

/// A jump to the end of the current row that is not resolved yet is written as this offset.
const TO_END: u8 = 255;

impl Program {
    /// The instructions.
    pub fn code(&self) -> &[Instruction] {
        &self.code[..self.len]
    }

    fn push(&mut self, code: u16, k: u32, jt: u8, jf: u8) -> Result<(), TooLong> {
        *self.code.get_mut(self.len).ok_or(TooLong)? = Instruction { code, jt, jf, k };
        self.len += 1;
        Ok(())
    }

    /// Resolves the jumps to the end that were written since `from`.
    fn close(&mut self, from: usize) -> Result<(), TooLong> {
        let end = self.len;
        for (index, i) in self.code[..end].iter_mut().enumerate().skip(from) {
            let distance = end - index - 1;
            for target in [&mut i.jt, &mut i.jf] {
                if *target == TO_END {
                    *target = u8::try_from(distance).ok().filter(|d| *d != TO_END).ok_or(TooLong)?;
                }
            }
        }
        Ok(())
    }
}

/// Makes the filter of an instance.
pub fn compile(parameters: &Parameters) -> Result<Program, TooLong> {
    let mut p = Program { code: [Instruction::default(); CAPACITY], len: 0 };
    p.push(LOAD, ARCHITECTURE, 0, 0)?;
    p.push(JUMP_EQUAL, AUDIT_ARCH_X86_64, 1, 0)?;
    p.push(RETURN, KILL_PROCESS, 0, 0)?;
    p.push(LOAD, POINTER, 0, 0)?;
    p.push(JUMP_EQUAL, parameters.gate as u32, 0, 2)?;
    p.push(LOAD, POINTER + 4, 0, 0)?;
    p.push(JUMP_EQUAL, (parameters.gate >> 32) as u32, 1, 0)?;
    p.push(RETURN, TRAP, 0, 0)?;
    p.push(LOAD, NUMBER, 0, 0)?;
    let mut loaded = true;
    for rule in RULES.iter().filter(|r| r.when.applies(parameters)) {
        if !loaded {
            p.push(LOAD, NUMBER, 0, 0)?;
        }
        row(&mut p, rule, parameters)?;
        // A row without conditions leaves the number in the accumulator.
        loaded = rule.checks.is_empty();
    }
    p.push(RETURN, KILL_PROCESS, 0, 0)?;
    Ok(p)
}

fn row(p: &mut Program, rule: &Rule, parameters: &Parameters) -> Result<(), TooLong> {
    let start = p.len;
    p.push(JUMP_EQUAL, rule.number, 0, TO_END)?;
    for check in rule.checks {
        condition(p, *check, parameters)?;
    }
    p.push(RETURN, ALLOW, 0, 0)?;
    p.close(start)
}

/// Falls through if the condition holds, and jumps to the end of the row if not.
fn condition(p: &mut Program, Check(argument, test): Check, parameters: &Parameters) -> Result<(), TooLong> {
    let low = ARGUMENTS + u32::from(argument) * 8;
    let high = low + 4;
    let halves = |value: u64| (value as u32, (value >> 32) as u32);
    match test {
        Test::Equals(value) => {
            let (l, h) = halves(value.resolve(parameters));
            p.push(LOAD, low, 0, 0)?;
            p.push(JUMP_EQUAL, l, 0, TO_END)?;
            p.push(LOAD, high, 0, 0)?;
            p.push(JUMP_EQUAL, h, 0, TO_END)
        }
        Test::Bits(mask) => {
            let (l, h) = halves(!mask);
            p.push(LOAD, low, 0, 0)?;
            p.push(JUMP_ANY_BIT, l, TO_END, 0)?;
            p.push(LOAD, high, 0, 0)?;
            p.push(JUMP_ANY_BIT, h, TO_END, 0)
        }
        Test::Within(from, to) => {
            let (l, h) = halves(from.resolve(parameters));
            // high > h: fine; high == h: low >= l.
            p.push(LOAD, high, 0, 0)?;
            p.push(JUMP_GREATER, h, 3, 0)?;
            p.push(JUMP_EQUAL, h, 0, TO_END)?;
            p.push(LOAD, low, 0, 0)?;
            p.push(JUMP_AT_LEAST, l, 0, TO_END)?;
            let (l, h) = halves(to.resolve(parameters));
            // high < h: fine; high == h: low < l.
            p.push(LOAD, high, 0, 0)?;
            p.push(JUMP_GREATER, h, TO_END, 0)?;
            p.push(JUMP_EQUAL, h, 0, 2)?;
            p.push(LOAD, low, 0, 0)?;
            p.push(JUMP_AT_LEAST, l, TO_END, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use linux_abi::nr;

    use super::*;

    const GATE: u64 = 0x7f12_3456_7002;

    fn parameters() -> Parameters {
        Parameters {
            gate: GATE,
            process: 77,
            kick: 8,
            stacks: (0x6000_1000_0000, 0x6000_5000_0000),
            network: true,
            volumes: false,
            fsgsbase: true,
        }
    }

    /// Runs the filter as the host's kernel would.
    fn run(program: &Program, number: u32, pointer: u64, args: [u64; 6]) -> u32 {
        let mut data = std::vec::Vec::new();
        data.extend(number.to_le_bytes());
        data.extend(AUDIT_ARCH_X86_64.to_le_bytes());
        data.extend(pointer.to_le_bytes());
        args.iter().for_each(|a| data.extend(a.to_le_bytes()));
        let (mut at, mut a) = (0, 0u32);
        loop {
            let i = program.code()[at];
            at += 1;
            let holds = match i.code {
                LOAD => {
                    let k = i.k as usize;
                    a = u32::from_le_bytes(data[k..k + 4].try_into().unwrap());
                    continue;
                }
                RETURN => return i.k,
                JUMP_EQUAL => a == i.k,
                JUMP_GREATER => a > i.k,
                JUMP_AT_LEAST => a >= i.k,
                JUMP_ANY_BIT => a & i.k != 0,
                other => panic!("operation {other:#x}"),
            };
            at += usize::from(if holds { i.jt } else { i.jf });
        }
    }

    fn at_gate(number: u32, args: [u64; 6]) -> u32 {
        run(&compile(&parameters()).unwrap(), number, GATE, args)
    }

    #[test]
    fn every_call_outside_the_gate_is_trapped() {
        let program = compile(&parameters()).unwrap();
        for number in (0..500).chain([u32::MAX, 0x4000_0000]) {
            for pointer in [0x40_1000, GATE - 1, GATE + 1, GATE ^ (1 << 32), 0] {
                assert_eq!(run(&program, number, pointer, [0; 6]), TRAP, "{number} at {pointer:#x}");
            }
        }
    }

    #[test]
    fn numbers_without_a_row_kill() {
        let numbers = (0..2000)
            .filter(|n| !RULES.iter().any(|r| r.number == *n && r.when != When::Volumes && r.when != When::NoFsgsbase));
        for number in numbers.chain([0x4000_0000, u32::MAX]) {
            assert_eq!(at_gate(number, [1, 4096, 0, 0, 0, 0]), KILL_PROCESS, "{number}");
        }
    }

    use super::super::When;

    #[test]
    fn mappings_stay_in_the_application_range() {
        let anonymous = 0x4032;
        let map = |addr, len, prot, flags, fd| at_gate(nr::MMAP, [addr, len, prot, flags, fd, 0]);
        assert_eq!(map(0x1_0000, 4096, 3, anonymous, u64::MAX), ALLOW);
        assert_eq!(map(0x4fff_ffff_f000, 0x1000_0000_0000, 5, anonymous, u64::MAX), ALLOW);
        assert_eq!(map(0x1_0000, 4096, 5, 0x12, 4), ALLOW, "a program of the image");
        for (addr, len, prot, flags, fd) in [
            (0, 4096, 3, anonymous, u64::MAX),
            (0xf000, 4096, 3, anonymous, u64::MAX),
            (0x5000_0000_0000, 4096, 3, anonymous, u64::MAX),
            (u64::MAX - 4095, 4096, 3, anonymous, u64::MAX),
            (0x1_0000, 0, 3, anonymous, u64::MAX),
            (0x1_0000, 0x1000_0000_0001, 3, anonymous, u64::MAX),
            (0x1_0000, u64::MAX, 3, anonymous, u64::MAX),
            (0x1_0000, 4096, 8, anonymous, u64::MAX),
            (0x1_0000, 4096, 3, 0x4022, u64::MAX),
            (0x1_0000, 4096, 3, 0x11, 4),
            (0x1_0000, 4096, 3, 0x12, 5),
            (0x1_0000, 4096, 3, 0x12, 9),
        ] {
            assert_eq!(map(addr, len, prot, flags, fd), KILL_PROCESS, "{addr:#x} {len:#x} {prot} {flags:#x} {fd}");
        }
        for number in [nr::MUNMAP, nr::MPROTECT] {
            assert_eq!(at_gate(number, [0x1_0000, 4096, 1, 0, 0, 0]), ALLOW);
            assert_eq!(at_gate(number, [0x7f00_0000_0000, 4096, 1, 0, 0, 0]), KILL_PROCESS);
        }
    }

    #[test]
    fn arguments_are_pinned() {
        for (number, args, result) in [
            (nr::WRITE, [1, 0, 0, 0, 0, 0], ALLOW),
            (nr::WRITE, [2, 0, 0, 0, 0, 0], ALLOW),
            (nr::WRITE, [8, 0, 0, 0, 0, 0], ALLOW),
            (nr::WRITE, [4, 0, 0, 0, 0, 0], KILL_PROCESS),
            (nr::WRITE, [5, 0, 0, 0, 0, 0], KILL_PROCESS),
            (nr::WRITE, [1 << 32 | 1, 0, 0, 0, 0, 0], KILL_PROCESS),
            (nr::READ, [5, 0, 0, 0, 0, 0], ALLOW),
            (nr::READ, [3, 0, 0, 0, 0, 0], KILL_PROCESS),
            (nr::TGKILL, [77, 78, 16, 0, 0, 0], ALLOW),
            (nr::TGKILL, [1, 1, 16, 0, 0, 0], KILL_PROCESS),
            (nr::TGKILL, [77, 78, 9, 0, 0, 0], KILL_PROCESS),
            (nr::FUTEX, [0, 1, 1, 0, 0, 0], ALLOW),
            (nr::FUTEX, [0, 129, 1, 0, 0, 0], KILL_PROCESS),
            (nr::CLONE, [CLONE, 0x6000_1000_8000, 0, 0, 0, 0], ALLOW),
            (nr::CLONE, [CLONE & !0x1_0000, 0x6000_1000_8000, 0, 0, 0, 0], KILL_PROCESS),
            (nr::CLONE, [17, 0, 0, 0, 0, 0], KILL_PROCESS),
            (nr::OPENAT, [0; 6], KILL_PROCESS),
            (nr::ARCH_PRCTL, [0x1002, 0, 0, 0, 0, 0], KILL_PROCESS),
        ] {
            assert_eq!(at_gate(number, args), result, "{number} {args:x?}");
        }
    }

    const CLONE: u64 = crate::thread::CLONE_FLAGS;

    #[test]
    fn what_an_instance_lacks_is_closed() {
        let lonely = compile(&Parameters { network: false, ..parameters() }).unwrap();
        assert_eq!(run(&lonely, nr::READ, GATE, [5, 0, 0, 0, 0, 0]), KILL_PROCESS);
        let volumes = compile(&Parameters { volumes: true, ..parameters() }).unwrap();
        assert_eq!(run(&volumes, nr::OPENAT, GATE, [0; 6]), ALLOW);
    }

    #[test]
    fn other_architectures_are_killed() {
        let program = compile(&parameters()).unwrap();
        assert_eq!(program.code()[1].k, AUDIT_ARCH_X86_64);
        assert_eq!(program.code()[2], Instruction { code: RETURN, jt: 0, jf: 0, k: KILL_PROCESS });
    }
}
