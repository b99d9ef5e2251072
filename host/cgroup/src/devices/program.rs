//! Translates device rules into a program of the kernel (instruction-set.rst of bpf).
//!
//! The rules are looked at from the last to the first. Each asks for the accesses that are still open: a rule that denies one
//! of them ends with no, one that allows takes its accesses away, and when none is left the answer is yes. So each access is
//! decided by the last rule about it.

use super::rules::{Kind, Rule, Rules};

/// `struct bpf_insn` of linux/bpf.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u8,
    /// Destination in the low four bits, source in the high ones.
    pub(super) registers: u8,
    pub(super) offset: i16,
    pub(super) immediate: i32,
}

const _: () = assert!(size_of::<Instruction>() == 8);

const LOAD_WORD: u8 = 0x61;
const AND_64: u8 = 0x57;
const SHIFT_RIGHT_64: u8 = 0x77;
const MOVE_64: u8 = 0xb7;
const MOVE_64_REGISTER: u8 = 0xbf;
const JUMP_NOT_EQUAL_32: u8 = 0x56;
const JUMP_EQUAL_32: u8 = 0x16;
const EXIT: u8 = 0x95;

/// Registers: the context comes in 1, the answer goes out in 0.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
/// The accesses that no rule has decided yet.
const OPEN: u8 = 2;
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

/// `BPF_DEVCG_DEV_*` of linux/bpf.h.
const DEVICE_BLOCK: i32 = 1;
const DEVICE_CHARACTER: i32 = 2;

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: destination | source << 4, offset, immediate }
}

/// `struct bpf_cgroup_dev_ctx` holds access in the high and kind in the low half of its first word, then major and minor.
pub(super) fn of(rules: &Rules) -> Vec<Instruction> {
    let mut out = vec![
        instruction(LOAD_WORD, OPEN, CONTEXT, 0, 0),
        instruction(LOAD_WORD, KIND, CONTEXT, 0, 0),
        instruction(AND_64, KIND, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT_64, OPEN, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules.exceptions.iter().rev() {
        emit(rule, &mut out);
    }
    out.extend(answer(rules.allow));
    out
}

fn answer(allow: bool) -> [Instruction; 2] {
    [instruction(MOVE_64, ANSWER, 0, 0, i32::from(allow)), instruction(EXIT, 0, 0, 0, 0)]
}

fn emit(rule: &Rule, out: &mut Vec<Instruction>) {
    let decide = decide(rule);
    let kind = rule.kind.map(|kind| match kind {
        Kind::Block => DEVICE_BLOCK,
        Kind::Character => DEVICE_CHARACTER,
    });
    let tests = [(KIND, kind), (MAJOR, rule.major.map(|n| n as i32)), (MINOR, rule.minor.map(|n| n as i32))];
    let tests: Vec<_> = tests.into_iter().filter_map(|(register, value)| Some((register, value?))).collect();
    let count = tests.len();
    for (at, (register, value)) in tests.into_iter().enumerate() {
        let past = (count - at - 1 + decide.len()) as i16;
        out.push(instruction(JUMP_NOT_EQUAL_32, register, 0, past, value));
    }
    out.extend(decide);
}

/// What is done when the device is the rule's.
fn decide(rule: &Rule) -> Vec<Instruction> {
    let access = i32::from(rule.access.bits());
    let mut out = if rule.allow {
        vec![instruction(AND_64, OPEN, 0, 0, !access & 7), instruction(JUMP_NOT_EQUAL_32, OPEN, 0, 2, 0)]
    } else {
        vec![
            instruction(MOVE_64_REGISTER, SCRATCH, OPEN, 0, 0),
            instruction(AND_64, SCRATCH, 0, 0, access),
            instruction(JUMP_EQUAL_32, SCRATCH, 0, 2, 0),
        ]
    };
    out.extend(answer(rule.allow));
    out
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::rules;
    use super::*;

    const MAKE: i32 = 1;
    const READ: i32 = 2;
    const WRITE: i32 = 4;

    /// Runs a filter as the kernel does, on the few instructions that we emit.
    fn allows(rules: &Rules, kind: i32, access: i32, major: i32, minor: i32) -> bool {
        let program = of(rules);
        let context = [access << 16 | kind, major, minor];
        let (mut registers, mut at) = ([0i64; 7], 0usize);
        loop {
            let now = program[at];
            at += 1;
            let (destination, source) = (usize::from(now.registers & 15), usize::from(now.registers >> 4));
            match now.code {
                LOAD_WORD => registers[destination] = i64::from(context[now.offset as usize / 4]),
                AND_64 => registers[destination] &= i64::from(now.immediate),
                SHIFT_RIGHT_64 => registers[destination] >>= now.immediate,
                MOVE_64 => registers[destination] = i64::from(now.immediate),
                MOVE_64_REGISTER => registers[destination] = registers[source],
                JUMP_NOT_EQUAL_32 if registers[destination] != i64::from(now.immediate) => at += now.offset as usize,
                JUMP_EQUAL_32 if registers[destination] == i64::from(now.immediate) => at += now.offset as usize,
                JUMP_NOT_EQUAL_32 | JUMP_EQUAL_32 => {}
                EXIT => return registers[0] == 1,
                other => panic!("unexpected instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn the_default_list() {
        let rules = Rules::of(None).unwrap();
        let allows = |kind, access, major, minor| allows(&rules, kind, access, major, minor);
        assert!(allows(DEVICE_CHARACTER, READ | WRITE, 1, 3), "/dev/null");
        assert!(allows(DEVICE_CHARACTER, READ | WRITE | MAKE, 136, 77), "a terminal");
        assert!(allows(DEVICE_BLOCK, MAKE, 8, 0), "making a node");
        assert!(!allows(DEVICE_BLOCK, READ, 8, 0), "a disk");
        assert!(!allows(DEVICE_BLOCK, READ | MAKE, 8, 0), "a disk");
        assert!(!allows(DEVICE_BLOCK, READ, 1, 3), "a block device with a character device's number");
        assert!(!allows(DEVICE_CHARACTER, READ, 1, 1), "/dev/mem");
        assert!(!allows(DEVICE_CHARACTER, WRITE, 10, 200), "/dev/net/tun");
    }

    #[test]
    fn the_last_rule_about_an_access_counts() {
        let ordered = rules(&["-a", "+c 1:* rw", "-c 1:3 w", "+b 8:0 r", "+b *:0 w"]);
        let allows = |kind, access, major, minor| allows(&ordered, kind, access, major, minor);
        assert!(allows(DEVICE_CHARACTER, READ, 1, 3) && !allows(DEVICE_CHARACTER, READ | WRITE, 1, 3));
        assert!(allows(DEVICE_CHARACTER, READ | WRITE, 1, 5));
        assert!(allows(DEVICE_BLOCK, READ | WRITE, 8, 0), "each access by a rule of its own");
        assert!(!allows(DEVICE_BLOCK, READ, 9, 0) && !allows(DEVICE_BLOCK, READ | MAKE, 8, 0));
    }

    #[test]
    fn everything_but() {
        let rules = rules(&["+a", "-b 8:0 w"]);
        assert!(allows(&rules, DEVICE_BLOCK, READ, 8, 0) && !allows(&rules, DEVICE_BLOCK, WRITE | READ, 8, 0));
        assert!(allows(&rules, DEVICE_CHARACTER, READ | WRITE | MAKE, 8, 0));
    }
}
