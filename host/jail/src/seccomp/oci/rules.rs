//! From the profile's list of names to rules with numbers.

use oci_spec::runtime::LinuxSyscall;

use super::arguments::Conditions;
use super::numbers::{self, Convention, Row};
use super::{Error, action, multiplexed};
use crate::seccomp::{Check, Comparison, Rule, Verdict};

/// The rules of a profile, resolved once for all conventions.
pub(super) struct Rules {
    groups: Vec<Group>,
    default: Verdict,
}

/// One entry of `syscalls`.
struct Group {
    rows: Vec<&'static Row>,
    conditions: Conditions,
    verdict: Verdict,
    /// The calls that i386 programs can also make through another, and the check that tells them.
    through: Vec<(&'static Row, [Check; 1])>,
}

impl Rules {
    pub(super) fn new(syscalls: &[LinuxSyscall], default: Verdict) -> Result<Self, Error> {
        let groups = syscalls.iter().map(Group::new).collect::<Result<_, _>>()?;
        Ok(Self { groups, default })
    }

    /// Whether a rule asks a listener.
    pub(super) fn notify(&self) -> bool {
        self.groups.iter().any(|group| group.verdict == Verdict::Notify)
    }

    /// The greatest number that the profile names, whatever its action.
    pub(super) fn last_known(&self, convention: Convention) -> Option<u32> {
        let rows = self.groups.iter().flat_map(|group| &group.rows);
        rows.filter_map(|row| numbers::number(row, convention)).max().filter(|number| *number != 0)
    }

    /// The rules of a convention, sorted by number, those of one number in the profile's order.
    pub(super) fn of(&self, convention: Convention) -> Vec<Rule<'_>> {
        let mut rules = Vec::with_capacity(512);
        // A rule with the default action changes nothing.
        for group in self.groups.iter().filter(|group| group.verdict != self.default) {
            group.append(convention, &mut rules);
        }
        rules.sort_by_key(|rule| rule.number);
        rules
    }
}

impl Group {
    fn new(syscall: &LinuxSyscall) -> Result<Self, Error> {
        let verdict = action::verdict(syscall.action(), syscall.errno_ret())?;
        let conditions = Conditions::new(syscall)?;
        let names = syscall.names();
        if names.iter().any(String::is_empty) {
            return Err(Error::NoName);
        }
        if verdict == Verdict::Notify && names.iter().any(|name| name == "write") {
            return Err(Error::NotifyForAll);
        }
        Ok(Self {
            rows: names.iter().filter_map(|name| numbers::find(name)).collect(),
            through: through(names, &conditions, verdict),
            conditions,
            verdict,
        })
    }

    fn append<'s>(&'s self, convention: Convention, rules: &mut Vec<Rule<'s>>) {
        let alternatives = match convention {
            Convention::X86_64 => &self.conditions.wide,
            Convention::I386 | Convention::X32 => &self.conditions.narrow,
        };
        for number in self.rows.iter().filter_map(|row| numbers::number(row, convention)) {
            if alternatives.is_empty() {
                rules.push(Rule { number, when: &[], verdict: self.verdict });
            }
            rules.extend(alternatives.iter().map(|when| Rule { number, when, verdict: self.verdict }));
        }
        if convention == Convention::I386 {
            rules.extend(self.through.iter().filter_map(|(row, when)| {
                let number = numbers::number(row, convention)?;
                Some(Rule { number, when, verdict: self.verdict })
            }));
        }
    }
}

/// The same calls through socketcall(2) and ipc(2). Conditions cannot be checked there, so a permission with conditions
/// is not passed on, while a refusal is passed on without them.
fn through(names: &[String], conditions: &Conditions, verdict: Verdict) -> Vec<(&'static Row, [Check; 1])> {
    let refusal = matches!(verdict, Verdict::Errno(_) | Verdict::Trap | Verdict::KillThread | Verdict::KillProcess);
    if !conditions.narrow.is_empty() && !refusal {
        return Vec::new();
    }
    let multiplexed = names.iter().filter_map(|name| multiplexed::find(name));
    multiplexed
        .filter_map(|(name, call)| Some((numbers::find(name)?, [Check::low_half(0, Comparison::Equal, call)])))
        .collect()
}
