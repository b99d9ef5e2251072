use super::check::{Check, FAILED};
use super::install::{Instruction, Program};

/// What the kernel does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Carries it out.
    Allow,
    /// Carries it out and leaves a line in the audit log.
    Log,
    /// Fails it with this error number.
    Errno(u16),
    /// Asks a tracer, which reads this number (`PTRACE_EVENT_SECCOMP`); without one the call fails with `ENOSYS`.
    Trace(u16),
    /// Asks the process that holds the filter's listener (seccomp_unotify(2)).
    Notify,
    /// Delivers `SIGSYS`.
    Trap,
    /// Ends the thread.
    KillThread,
    /// Ends the whole process.
    KillProcess,
}

impl Verdict {
    /// The filter's return value, `SECCOMP_RET_*` of linux/seccomp.h with its data.
    pub const fn value(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Log => libc::SECCOMP_RET_LOG,
            Self::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
            Self::Trace(data) => libc::SECCOMP_RET_TRACE | data as u32,
            Self::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::KillThread => libc::SECCOMP_RET_KILL_THREAD,
            Self::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// One system call and what is to become of it.
///
/// A call may have several rules. One without checks overrules those with; among those with checks, the first that
/// holds decides.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    /// The number in its calling convention.
    pub number: u32,
    /// The verdict holds if every one of these does. Empty means: always.
    pub when: &'a [Check],
    /// What becomes of it.
    pub verdict: Verdict,
}

impl Rule<'_> {
    /// Allows a call whatever its arguments.
    pub const fn allow(number: u32) -> Self {
        Self { number, when: &[], verdict: Verdict::Allow }
    }
}

/// Rules that make no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Checks of one call that a conditional jump cannot skip.
    #[error("the filter rules of system call {0} are too long")]
    TooLong(u32),
    /// More than the 4096 instructions that the kernel takes.
    #[error("the filter has {0} instructions, more than the kernel's 4096; use fewer rules with arguments")]
    TooMany(usize),
}

pub(super) const LOAD_ABSOLUTE: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_GREATER: u16 = 0x25;
pub(super) const JUMP_GREATER_EQUAL: u16 = 0x35;
pub(super) const JUMP_SET: u16 = 0x45;
pub(super) const RETURN: u16 = 0x06;
/// Offsets in `struct seccomp_data` of linux/seccomp.h.
pub(super) const OFFSET_NUMBER: u32 = 0;
pub(super) const OFFSET_ARCH: u32 = 4;
pub(super) const OFFSET_ARGS: u32 = 16;
/// `AUDIT_ARCH_X86_64` of linux/audit.h.
pub const ARCH_X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386` of linux/audit.h.
pub const ARCH_I386: u32 = 0x4000_0003;
/// `__X32_SYSCALL_BIT` of asm/unistd.h, which tells x32's calls from the 64-bit ones of the same architecture.
pub const X32_BIT: u32 = 0x4000_0000;
/// `BPF_MAXINSNS` of linux/bpf_common.h.
const MOST_INSTRUCTIONS: usize = 4096;

/// The numbers from `first` up to the next region, and their rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region<'a> {
    pub(super) first: u32,
    /// Sorted by number.
    pub(super) rules: &'a [Rule<'a>],
    /// What becomes of calls without a rule (that holds).
    pub(super) default: Verdict,
    /// What becomes of those above this number, instead of `default`.
    pub(super) newer: Option<(u32, Verdict)>,
}

impl Region<'_> {
    /// One verdict for all of them.
    pub(super) fn plain(first: u32, verdict: Verdict) -> Self {
        Self { first, rules: &[], default: verdict, newer: None }
    }
}

/// What becomes of the numbers from `first` up to the next span: the first rule that holds, else `otherwise`.
#[derive(Debug, Clone, Copy)]
struct Span<'a> {
    first: u32,
    rules: &'a [Rule<'a>],
    otherwise: Verdict,
}

impl Span<'_> {
    fn merges_with(&self, other: &Self) -> bool {
        self.otherwise == other.otherwise && self.rules.is_empty() && other.rules.is_empty()
    }
}

/// Builds a filter: the listed calls get their verdict, other known ones (up to `last_known`) get `default`, newer ones and those
/// of another calling convention (i386, x32) fail with `ENOSYS`, as on a kernel that lacks them.
///
/// # Errors
/// See [`FilterError`].
pub fn compile(rules: &[Rule<'_>], default: Verdict, last_known: u32) -> Result<Program, FilterError> {
    let mut sorted = rules.to_vec();
    sorted.sort_by_key(|rule| rule.number);
    let unknown = Verdict::Errno(libc::ENOSYS as u16);
    let region = Region { first: 0, rules: &sorted, default, newer: Some((last_known, unknown)) };
    assemble(&[region], &[], unknown)
}

/// Builds a filter from the regions (in the order of their numbers) of x86-64 with x32, and those of i386; calls of other
/// architectures, and of i386 if it has no regions, get `other`.
pub(super) fn assemble(wide: &[Region<'_>], i386: &[Region<'_>], other: Verdict) -> Result<Program, FilterError> {
    let mut out = Vec::with_capacity(1024);
    out.extend([statement(LOAD_ABSOLUTE, OFFSET_ARCH), jump(JUMP_EQUAL, ARCH_X86_64, 1, 0), statement(JUMP, 0)]);
    out.push(statement(LOAD_ABSOLUTE, OFFSET_NUMBER));
    emit(&spans(wide), &mut out)?;
    out[2].k = (out.len() - 3) as u32;
    if !i386.is_empty() {
        out.extend([jump(JUMP_EQUAL, ARCH_I386, 1, 0), verdict(other), statement(LOAD_ABSOLUTE, OFFSET_NUMBER)]);
        emit(&spans(i386), &mut out)?;
    } else {
        out.push(verdict(other));
    }
    if out.len() > MOST_INSTRUCTIONS {
        return Err(FilterError::TooMany(out.len()));
    }
    Ok(Program::new(out))
}

/// Divides all 2^32 numbers into spans with one verdict, or one list of rules, each.
fn spans<'a>(regions: &[Region<'a>]) -> Vec<Span<'a>> {
    let mut spans: Vec<Span<'a>> = Vec::with_capacity(64);
    let mut push = |span: Span<'a>| match spans.last_mut() {
        Some(last) if last.first == span.first => *last = span,
        Some(last) if last.merges_with(&span) => {}
        _ => spans.push(span),
    };
    for region in regions {
        let plain = |first| Span { first, rules: &[], otherwise: region.default };
        push(plain(region.first));
        let mut end = region.first;
        for rules in region.rules.chunk_by(|a, b| a.number == b.number) {
            let number = rules[0].number;
            if number > end {
                push(plain(end));
            }
            push(match rules.iter().find(|rule| rule.when.is_empty()) {
                Some(always) => Span { first: number, rules: &[], otherwise: always.verdict },
                None => Span { first: number, rules, otherwise: region.default },
            });
            end = number.saturating_add(1);
        }
        match region.newer {
            Some((last_known, verdict)) => {
                if end <= last_known {
                    push(plain(end));
                }
                push(Span { first: end.max(last_known.saturating_add(1)), rules: &[], otherwise: verdict });
            }
            None => push(plain(end)),
        }
    }
    spans
}

/// Appends the tree of these spans; the accumulator holds the number of the call.
fn emit(spans: &[Span<'_>], out: &mut Vec<Instruction>) -> Result<(), FilterError> {
    let [span] = spans else {
        let (low, high) = spans.split_at(spans.len() / 2);
        let branch = out.len();
        out.push(jump(JUMP_GREATER_EQUAL, high[0].first, 0, 0));
        emit(low, out)?;
        let distance = out.len() - branch - 1;
        match u8::try_from(distance) {
            Ok(distance) => out[branch].jt = distance,
            Err(_) => {
                // A conditional jump reaches 255 instructions; a long one stands in between.
                out[branch] = jump(JUMP_GREATER_EQUAL, high[0].first, 0, 1);
                out.insert(branch + 1, statement(JUMP, distance as u32));
            }
        }
        return emit(high, out);
    };
    for rule in span.rules {
        emit_rule(rule, out)?;
    }
    out.push(verdict(span.otherwise));
    Ok(())
}

/// Appends checks that all have to hold, and the verdict if they do; a failed one continues behind the verdict.
fn emit_rule(rule: &Rule<'_>, out: &mut Vec<Instruction>) -> Result<(), FilterError> {
    let start = out.len();
    for check in rule.when {
        check.emit(out);
    }
    let end = out.len() + 1;
    for (at, instruction) in out.iter_mut().enumerate().skip(start) {
        for target in [&mut instruction.jt, &mut instruction.jf] {
            if *target == FAILED {
                *target = u8::try_from(end - at - 1).map_err(|_| FilterError::TooLong(rule.number))?;
            }
        }
    }
    out.push(verdict(rule.verdict));
    Ok(())
}

pub(super) fn statement(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

pub(super) fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn verdict(verdict: Verdict) -> Instruction {
    statement(RETURN, verdict.value())
}

#[cfg(test)]
mod tests;
