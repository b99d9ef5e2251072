//! Conditions on arguments.

use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator as Operator, LinuxSyscall};

use super::Error;
use crate::seccomp::{Check, Comparison};

/// The conditions of one rule, as alternatives of checks that hold together. None means: always.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// For the 64-bit convention.
    pub(super) wide: Vec<Vec<Check>>,
    /// For those with 32-bit arguments. libseccomp, too, compares the low halves there, so that a profile can give -1
    /// as 64-bit number.
    pub(super) narrow: Vec<Vec<Check>>,
}

impl Conditions {
    pub(super) fn new(syscall: &LinuxSyscall) -> Result<Self, Error> {
        let args = syscall.args().as_deref().unwrap_or_default();
        let mut seen = [false; 6];
        let mut repeated = false;
        for arg in args {
            let seen = seen.get_mut(arg.index()).ok_or_else(|| Error::Argument {
                name: syscall.names().first().cloned().unwrap_or_default(),
                index: arg.index(),
            })?;
            repeated |= std::mem::replace(seen, true);
        }
        let groups = args.chunks(if repeated { 1 } else { args.len().max(1) });
        let checks = |new: fn(u8, Comparison, u64) -> Check| {
            groups.clone().map(|group| group.iter().map(|arg| check(arg, new)).collect()).collect()
        };
        Ok(Self { wide: checks(Check::new), narrow: checks(Check::low_half) })
    }
}

fn check(arg: &LinuxSeccompArg, new: fn(u8, Comparison, u64) -> Check) -> Check {
    let (comparison, value) = match arg.op() {
        Operator::ScmpCmpNe => (Comparison::NotEqual, arg.value()),
        Operator::ScmpCmpLt => (Comparison::Less, arg.value()),
        Operator::ScmpCmpLe => (Comparison::LessOrEqual, arg.value()),
        Operator::ScmpCmpEq => (Comparison::Equal, arg.value()),
        Operator::ScmpCmpGe => (Comparison::GreaterOrEqual, arg.value()),
        Operator::ScmpCmpGt => (Comparison::Greater, arg.value()),
        Operator::ScmpCmpMaskedEq => (Comparison::MaskedEqual(arg.value()), arg.value_two().unwrap_or(0)),
    };
    new(arg.index() as u8, comparison, value)
}
