//! `linux.seccomp` of an OCI bundle: any profile is refused or becomes a filter that ends with the verdict that a plain
//! reading of the rules gives.
#![no_main]

use jail::seccomp::{ARCH_X86_64, Call, oci};
use libfuzzer_sys::arbitrary::{Arbitrary, Error, Unstructured};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator as Operator, LinuxSyscall,
};

const ACTIONS: [Action; 9] = [
    Action::ScmpActKill,
    Action::ScmpActKillThread,
    Action::ScmpActKillProcess,
    Action::ScmpActTrap,
    Action::ScmpActErrno,
    Action::ScmpActNotify,
    Action::ScmpActTrace,
    Action::ScmpActLog,
    Action::ScmpActAllow,
];
const OPERATORS: [Operator; 7] = [
    Operator::ScmpCmpNe,
    Operator::ScmpCmpLt,
    Operator::ScmpCmpLe,
    Operator::ScmpCmpEq,
    Operator::ScmpCmpGe,
    Operator::ScmpCmpGt,
    Operator::ScmpCmpMaskedEq,
];
const NAMES: [(&str, u32); 8] = [
    ("read", 0),
    ("write", 1),
    ("socket", 41),
    ("clone", 56),
    ("personality", 135),
    ("openat2", 437),
    ("mseal", 462),
    ("no_such_call", u32::MAX),
];

#[derive(Debug)]
struct Input {
    seccomp: LinuxSeccomp,
    calls: Vec<(u32, [u64; 6])>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self, Error> {
        let mut seccomp = LinuxSeccomp::default();
        seccomp.set_default_action(*u.choose(&ACTIONS)?).set_default_errno_ret(u.arbitrary()?);
        let archs = [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32, Arch::ScmpArchArm];
        let listed: Vec<_> =
            (0..u.int_in_range(0..=4)?).map(|_| u.choose(&archs).copied()).collect::<Result<_, _>>()?;
        seccomp.set_architectures(Some(listed));
        let rules = (0..u.int_in_range(0..=12)?).map(|_| syscall(u)).collect::<Result<_, _>>()?;
        seccomp.set_syscalls(Some(rules));
        if u.arbitrary()? {
            seccomp.set_listener_path(Some("/agent".into()));
        }
        let calls = (0..8).map(|_| Ok((u.choose(&NAMES)?.1, [value(u)?, value(u)?, value(u)?, value(u)?, 0, 0])));
        let calls = calls.collect::<Result<_, Error>>()?;
        Ok(Self { seccomp, calls })
    }
}

fn syscall(u: &mut Unstructured<'_>) -> Result<LinuxSyscall, Error> {
    let mut syscall = LinuxSyscall::default();
    let names = (0..u.int_in_range(0..=3)?).map(|_| Ok(u.choose(&NAMES)?.0.to_owned()));
    syscall.set_names(names.collect::<Result<_, Error>>()?).set_action(*u.choose(&ACTIONS)?);
    syscall.set_errno_ret(u.arbitrary::<Option<u16>>()?.map(u32::from));
    let args = (0..u.int_in_range(0..=4)?).map(|_| {
        let arg = LinuxSeccompArgBuilder::default().index(u.int_in_range(0..=6_usize)?).op(*u.choose(&OPERATORS)?);
        arg.value(value(u)?).value_two(value(u)?).build().map_err(|_| Error::IncorrectFormat)
    });
    syscall.set_args(Some(args.collect::<Result<_, Error>>()?));
    Ok(syscall)
}

/// Mostly values that meet each other.
fn value(u: &mut Unstructured<'_>) -> Result<u64, Error> {
    let few = [0, 1, 2, 3, u64::MAX, 0xffff_ffff, 1 << 32, (1 << 32) + 1];
    if u.ratio(1, 8)? { u.arbitrary() } else { u.choose(&few).copied() }
}

fn holds(arg: &LinuxSeccompArg, call: &[u64; 6]) -> bool {
    let (actual, value) = (call[arg.index()], arg.value());
    match arg.op() {
        Operator::ScmpCmpNe => actual != value,
        Operator::ScmpCmpLt => actual < value,
        Operator::ScmpCmpLe => actual <= value,
        Operator::ScmpCmpEq => actual == value,
        Operator::ScmpCmpGe => actual >= value,
        Operator::ScmpCmpGt => actual > value,
        Operator::ScmpCmpMaskedEq => actual & value == arg.value_two().unwrap_or(0) & value,
    }
}

/// Reads the rules in their order, for the 64-bit convention and a number that is not "newer".
fn expected(seccomp: &LinuxSeccomp, number: u32, args: &[u64; 6]) -> u32 {
    let default = seccomp.default_action().as_u32(seccomp.default_errno_ret());
    let name = NAMES.iter().find(|(_, known)| *known == number).unwrap().0;
    let rules = seccomp.syscalls().iter().flatten().filter(|rule| rule.names().iter().any(|named| named == name));
    let rules: Vec<_> = rules.filter(|rule| rule.action().as_u32(rule.errno_ret()) != default).collect();
    let conditions = |rule: &LinuxSyscall| rule.args().clone().unwrap_or_default();
    let matches = |rule: &&&LinuxSyscall| {
        let conditions = conditions(rule);
        let repeated = (0..6).any(|index| conditions.iter().filter(|arg| arg.index() == index).count() > 1);
        if repeated {
            conditions.iter().any(|arg| holds(arg, args))
        } else {
            conditions.iter().all(|arg| holds(arg, args))
        }
    };
    let always = rules.iter().find(|rule| conditions(rule).is_empty());
    let decisive = always.or_else(|| rules.iter().find(matches));
    decisive.map_or(default, |rule| rule.action().as_u32(rule.errno_ret()))
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    let Ok(filter) = oci::translate(&input.seccomp) else { return };
    assert!(filter.program.len() <= 4096);
    for (number, args) in &input.calls {
        let verdict = filter.program.evaluate(&Call { arch: ARCH_X86_64, number: *number, args: *args });
        let verdict = verdict.expect("the filter ends");
        if *number == u32::MAX {
            continue;
        }
        let newest = input.seccomp.syscalls().iter().flatten().flat_map(|rule| rule.names());
        let newest = newest.filter_map(|name| NAMES.iter().find(|known| known.0 == name)).map(|known| known.1);
        let newest = newest.filter(|number| *number != u32::MAX).max();
        if newest.is_some_and(|newest| *number <= newest) {
            assert_eq!(verdict, expected(&input.seccomp, *number, args), "call {number} with {args:x?}");
        }
    }
    for arch in [ARCH_X86_64, jail::seccomp::ARCH_I386, 0xc000_00b7] {
        for number in [0, 3, 102, 117, 0x4000_0000, 0x8000_0000, u32::MAX] {
            assert!(filter.program.evaluate(&Call { arch, number, args: input.calls[0].1 }).is_some());
        }
    }
});
