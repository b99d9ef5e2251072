use super::*;

/// Runs a filter as the kernel does, on the few instructions that we emit.
fn evaluate(program: &Program, arch: u32, number: u32, args: [u64; 6]) -> u32 {
    let load = |offset: u32| match offset {
        OFFSET_NUMBER => number,
        OFFSET_ARCH => arch,
        _ => {
            let at = (offset - OFFSET_ARGS) as usize;
            (args[at / 8] >> (8 * (at % 8))) as u32
        }
    };
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let instruction = program.instructions()[at];
        at += 1;
        let taken = match instruction.code {
            LOAD_ABSOLUTE => {
                accumulator = load(instruction.k);
                continue;
            }
            RETURN => return instruction.k,
            JUMP => {
                at += instruction.k as usize;
                continue;
            }
            JUMP_EQUAL => accumulator == instruction.k,
            JUMP_GREATER_EQUAL => accumulator >= instruction.k,
            JUMP_SET => accumulator & instruction.k != 0,
            other => panic!("unexpected instruction {other:#x}"),
        };
        at += usize::from(if taken { instruction.jt } else { instruction.jf });
    }
}

const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const DENY: Verdict = Verdict::Errno(libc::EPERM as u16);

fn always(number: u32) -> Rule<'static> {
    Rule::allow(number)
}

#[test]
fn the_tree_answers_as_the_list_does() {
    // Every third number leaves no two neighbours to merge, so the tree is as deep and long as it gets.
    let rules: Vec<_> = (0..450).filter(|n| n % 3 == 0).map(always).collect();
    let program = compile(&rules, DENY, 470).unwrap();
    for number in 0..600 {
        let expected = match number {
            0..450 if number % 3 == 0 => libc::SECCOMP_RET_ALLOW,
            0..=470 => EPERM,
            _ => ENOSYS,
        };
        assert_eq!(evaluate(&program, ARCH_X86_64, number, [0; 6]), expected, "call {number}");
    }
}

#[test]
fn other_conventions_are_unknown() {
    let program = compile(&[always(1)], DENY, 470).unwrap();
    assert_eq!(evaluate(&program, 0x4000_0003, 1, [0; 6]), ENOSYS, "i386");
    assert_eq!(evaluate(&program, ARCH_X86_64, 0x4000_0001, [0; 6]), ENOSYS, "x32");
}

#[test]
fn arguments_are_checked() {
    let when: &[&[Check]] = &[&[Check::Equal(0, 8)], &[Check::NotEqual32(1, 40), Check::NoBits32(2, 0x0f)]];
    let program = compile(&[always(1), Rule { number: 5, when, verdict: Verdict::Allow }], DENY, 470).unwrap();
    let answer = |args: [u64; 3]| evaluate(&program, ARCH_X86_64, 5, [args[0], args[1], args[2], 0, 0, 0]);
    assert_eq!(answer([8, 40, 1]), libc::SECCOMP_RET_ALLOW);
    assert_eq!(answer([8 | 1 << 32, 40, 1]), EPERM, "the high half counts");
    assert_eq!(answer([9, 41, 0x10]), libc::SECCOMP_RET_ALLOW);
    assert_eq!(answer([9, 41, 0x11]), EPERM);
    assert_eq!(answer([9, 40, 0x10]), EPERM);
}

#[test]
fn rules_that_contradict_are_refused() {
    assert_eq!(compile(&[always(3), always(3)], DENY, 470), Err(FilterError::Duplicate(3)));
}
