use super::*;

use crate::seccomp::{Call, Comparison};

fn evaluate(program: &Program, arch: u32, number: u32, args: [u64; 6]) -> u32 {
    program.evaluate(&Call { arch, number, args }).unwrap()
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
    let first = [Check::new(0, Comparison::Equal, 8)];
    let second = [Check::low_half(1, Comparison::NotEqual, 40), Check::low_half(2, Comparison::MaskedEqual(0x0f), 0)];
    let rule = |when| Rule { number: 5, when, verdict: Verdict::Allow };
    let program = compile(&[always(1), rule(&first), rule(&second)], DENY, 470).unwrap();
    let answer = |args: [u64; 3]| evaluate(&program, ARCH_X86_64, 5, [args[0], args[1], args[2], 0, 0, 0]);
    assert_eq!(answer([8, 40, 1]), libc::SECCOMP_RET_ALLOW);
    assert_eq!(answer([8 | 1 << 32, 40, 1]), EPERM, "the high half counts");
    assert_eq!(answer([9, 41, 0x10]), libc::SECCOMP_RET_ALLOW);
    assert_eq!(answer([9, 41, 0x11]), EPERM);
    assert_eq!(answer([9, 40, 0x10]), EPERM);
}

#[test]
fn comparisons_are_those_of_64_bit_numbers() {
    let values =
        [0, 1, 7, 8, 9, 0xffff_ffff, 1 << 32, (1 << 32) + 8, (1 << 32) + 9, (2 << 32) + 1, u64::MAX - 1, u64::MAX];
    type Holds = fn(u64, u64) -> bool;
    let comparisons: [(Comparison, Holds); 8] = [
        (Comparison::Equal, |a, b| a == b),
        (Comparison::NotEqual, |a, b| a != b),
        (Comparison::Less, |a, b| a < b),
        (Comparison::LessOrEqual, |a, b| a <= b),
        (Comparison::Greater, |a, b| a > b),
        (Comparison::GreaterOrEqual, |a, b| a >= b),
        (Comparison::MaskedEqual(8), |a, b| a & 8 == b & 8),
        (Comparison::MaskedEqual(1 << 32 | 1), |a, b| a & (1 << 32 | 1) == b & (1 << 32 | 1)),
    ];
    for (comparison, holds) in comparisons {
        for value in values {
            for low in [false, true] {
                let check = if low { Check::low_half } else { Check::new }(3, comparison, value);
                let rule = Rule { number: 5, when: &[check], verdict: Verdict::Allow };
                let program = compile(&[rule], DENY, 470).unwrap();
                for arg in values {
                    let answer = evaluate(&program, ARCH_X86_64, 5, [0, 0, 0, arg, 0, 0]);
                    let half = |number: u64| if low { number & 0xffff_ffff } else { number };
                    let expected = if holds(half(arg), half(value)) { libc::SECCOMP_RET_ALLOW } else { EPERM };
                    assert_eq!(answer, expected, "{arg:#x} {comparison:?} {value:#x}, low half {low}");
                }
            }
        }
    }
}

#[test]
fn a_rule_without_checks_overrules_those_with() {
    let check = [Check::new(0, Comparison::Equal, 1)];
    let killed = Rule { number: 3, when: &check, verdict: Verdict::KillProcess };
    let trapped = Rule { number: 3, when: &[], verdict: Verdict::Trap };
    for rules in [[killed, always(3), trapped], [always(3), trapped, killed]] {
        let program = compile(&rules, DENY, 470).unwrap();
        assert_eq!(evaluate(&program, ARCH_X86_64, 3, [1, 0, 0, 0, 0, 0]), libc::SECCOMP_RET_ALLOW);
    }
}

#[test]
fn a_filter_that_the_kernel_would_not_take_is_refused() {
    let check = [Check::new(0, Comparison::Equal, 1 << 32 | 1)];
    let rules = vec![Rule { number: 3, when: &check, verdict: Verdict::Allow }; 900];
    assert!(matches!(compile(&rules, DENY, 470), Err(FilterError::TooMany(4097..))));
}
