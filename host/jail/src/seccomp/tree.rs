use super::install::{Instruction, Program};

/// What the kernel does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Carries it out.
    Allow,
    /// Fails it with this error number.
    Errno(u16),
    /// Delivers `SIGSYS`.
    Trap,
    /// Ends the whole process.
    KillProcess,
}

/// A test of one argument; only the low 32 bits count unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The argument with this index equals the value, all 64 bits.
    Equal(u8, u64),
    /// The argument's low 32 bits equal the value.
    Equal32(u8, u32),
    /// The argument's low 32 bits differ from the value.
    NotEqual32(u8, u32),
    /// None of these low bits are set in the argument.
    NoBits32(u8, u32),
}

/// One system call and what is to become of it.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    /// The number on x86-64.
    pub number: u32,
    /// Alternatives: the verdict holds if every check of one of them does; otherwise the default. Empty means: always.
    pub when: &'a [&'a [Check]],
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
    /// Two rules for one call.
    #[error("system call {0} has two filter rules")]
    Duplicate(u32),
    /// Checks of one call that a conditional jump cannot skip.
    #[error("the filter rules of system call {0} are too long")]
    TooLong(u32),
    /// More than the 4096 instructions that the kernel takes.
    #[error("the filter has {0} instructions, more than the kernel's 4096")]
    TooMany(usize),
}

const LOAD_ABSOLUTE: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER_EQUAL: u16 = 0x35;
const JUMP_SET: u16 = 0x45;
const RETURN: u16 = 0x06;
/// Offsets in `struct seccomp_data` of linux/seccomp.h.
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGS: u32 = 16;
/// `AUDIT_ARCH_X86_64` of linux/audit.h.
const ARCH_X86_64: u32 = 0xc000_003e;

/// What becomes of the numbers from `first` up to the next span.
#[derive(Debug, Clone, Copy)]
struct Span<'a> {
    first: u32,
    verdict: Verdict,
    when: &'a [&'a [Check]],
}

impl Span<'_> {
    fn merges_with(&self, other: &Self) -> bool {
        self.verdict == other.verdict && self.when.is_empty() && other.when.is_empty()
    }
}

/// Builds a filter: the listed calls get their verdict, other known ones (up to `last_known`) get `default`, newer ones and those
/// of another calling convention (i386, x32) fail with `ENOSYS`, as on a kernel that lacks them.
///
/// # Errors
/// See [`FilterError`].
pub fn compile(rules: &[Rule<'_>], default: Verdict, last_known: u32) -> Result<Program, FilterError> {
    let mut sorted = rules.to_vec();
    sorted.sort_unstable_by_key(|rule| rule.number);
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].number == pair[1].number) {
        return Err(FilterError::Duplicate(pair[0].number));
    }
    let unknown = Verdict::Errno(libc::ENOSYS as u16);
    let mut out = vec![
        statement(LOAD_ABSOLUTE, OFFSET_ARCH),
        jump(JUMP_EQUAL, ARCH_X86_64, 1, 0),
        verdict(unknown),
        statement(LOAD_ABSOLUTE, OFFSET_NUMBER),
    ];
    emit(&spans(&sorted, default, last_known, unknown), default, &mut out)?;
    if out.len() > 4096 {
        return Err(FilterError::TooMany(out.len()));
    }
    Ok(Program::new(out))
}

/// Divides all 2^32 numbers into spans with one verdict each. Numbers of x32 have bit 30 set, hence are past `last_known`.
fn spans<'a>(sorted: &[Rule<'a>], default: Verdict, last_known: u32, unknown: Verdict) -> Vec<Span<'a>> {
    let mut spans: Vec<Span<'a>> = Vec::with_capacity(2 * sorted.len() + 2);
    let mut push = |span: Span<'a>| match spans.last_mut() {
        Some(last) if last.first == span.first => *last = span,
        Some(last) if last.merges_with(&span) => {}
        _ => spans.push(span),
    };
    push(Span { first: 0, verdict: default, when: &[] });
    let mut end = 0;
    for rule in sorted {
        if rule.number > end {
            push(Span { first: end, verdict: default, when: &[] });
        }
        push(Span { first: rule.number, verdict: rule.verdict, when: rule.when });
        end = rule.number + 1;
    }
    if end <= last_known {
        push(Span { first: end, verdict: default, when: &[] });
    }
    push(Span { first: end.max(last_known + 1), verdict: unknown, when: &[] });
    spans
}

/// Appends the tree of these spans; the accumulator holds the number of the call.
fn emit(spans: &[Span<'_>], default: Verdict, out: &mut Vec<Instruction>) -> Result<(), FilterError> {
    let [span] = spans else {
        let (low, high) = spans.split_at(spans.len() / 2);
        let branch = out.len();
        out.push(jump(JUMP_GREATER_EQUAL, high[0].first, 0, 0));
        emit(low, default, out)?;
        let distance = out.len() - branch - 1;
        match u8::try_from(distance) {
            Ok(distance) => out[branch].jt = distance,
            Err(_) => {
                // A conditional jump reaches 255 instructions; a long one stands in between.
                out[branch] = jump(JUMP_GREATER_EQUAL, high[0].first, 0, 1);
                out.insert(branch + 1, statement(JUMP, distance as u32));
            }
        }
        return emit(high, default, out);
    };
    if span.when.is_empty() {
        out.push(verdict(span.verdict));
        return Ok(());
    }
    for alternative in span.when {
        emit_alternative(alternative, span, out)?;
    }
    out.push(verdict(default));
    Ok(())
}

/// Appends checks that all have to hold, and the verdict if they do; a failed one continues behind the verdict.
fn emit_alternative(checks: &[Check], span: &Span<'_>, out: &mut Vec<Instruction>) -> Result<(), FilterError> {
    let start = out.len();
    for check in checks {
        emit_check(*check, out);
    }
    let end = out.len() + 1;
    let past = |at: usize| u8::try_from(end - at - 1).map_err(|_| FilterError::TooLong(span.first));
    for (at, check) in out.iter_mut().enumerate().skip(start) {
        match (check.jt, check.jf) {
            (_, FAILED) => check.jf = past(at)?,
            (FAILED, _) => check.jt = past(at)?,
            _ => {}
        }
    }
    out.push(verdict(span.verdict));
    Ok(())
}

/// Stands for "behind the verdict" until the distance is known.
const FAILED: u8 = u8::MAX;

fn emit_check(check: Check, out: &mut Vec<Instruction>) {
    let low = |index: u8| statement(LOAD_ABSOLUTE, OFFSET_ARGS + 8 * u32::from(index));
    let high = |index: u8| statement(LOAD_ABSOLUTE, OFFSET_ARGS + 8 * u32::from(index) + 4);
    match check {
        Check::Equal(index, value) => out.extend([
            high(index),
            jump(JUMP_EQUAL, (value >> 32) as u32, 0, FAILED),
            low(index),
            jump(JUMP_EQUAL, value as u32, 0, FAILED),
        ]),
        Check::Equal32(index, value) => out.extend([low(index), jump(JUMP_EQUAL, value, 0, FAILED)]),
        Check::NotEqual32(index, value) => out.extend([low(index), jump(JUMP_EQUAL, value, FAILED, 0)]),
        Check::NoBits32(index, bits) => out.extend([low(index), jump(JUMP_SET, bits, FAILED, 0)]),
    }
}

fn statement(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn verdict(verdict: Verdict) -> Instruction {
    statement(
        RETURN,
        match verdict {
            Verdict::Allow => libc::SECCOMP_RET_ALLOW,
            Verdict::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
            Verdict::Trap => libc::SECCOMP_RET_TRAP,
            Verdict::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        },
    )
}

#[cfg(test)]
mod tests;
