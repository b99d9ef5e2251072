//! Which instructions around a `syscall` make room for a five-byte jump.

use boot_info::Site;

/// Bytes of a `jmp rel32`.
const JUMP: u64 = 5;

/// One decoded instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    /// Its address.
    pub(super) address: u64,
    /// Its length in bytes.
    pub(super) len: u8,
    /// What it is to a patch.
    pub(super) kind: Kind,
}

impl Instruction {
    const fn end(self) -> u64 {
        self.address + self.len as u64
    }
}

/// Instructions as a patch sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `mov $n, %eax` or `%rax`.
    LoadNumber(u32),
    /// Does the same wherever it is executed, and goes on behind itself.
    Movable,
    /// `ret`: can be moved, but nothing behind it.
    Return,
    /// Must stay where it is.
    Fixed,
}

/// A `syscall` instruction and its neighbours, nearest first, as far as they follow each other without a gap.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidate {
    pub(super) address: u64,
    pub(super) before: Vec<Instruction>,
    pub(super) after: Vec<Instruction>,
}

/// The number of rt_sigreturn(2): unwinders recognise a signal's frame by the bytes of the restorer, which must stay.
const RT_SIGRETURN: u32 = 15;

/// Addresses that direct branches lead to, sorted.
#[derive(Debug, Default)]
pub(super) struct Targets(Vec<u64>);

impl Targets {
    pub(super) fn new(mut addresses: Vec<u64>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        Self(addresses)
    }

    /// Whether a branch leads behind `start` and before `end`.
    fn inside(&self, start: u64, end: u64) -> bool {
        let next = self.0.partition_point(|t| *t <= start);
        self.0.get(next).is_some_and(|t| *t < end)
    }
}

/// The patch of a candidate, its offset being an address still; `None`: leave it alone.
pub(super) fn choose(candidate: &Candidate, targets: &Targets) -> Option<Site> {
    if candidate.before.first().is_some_and(|i| i.kind == Kind::LoadNumber(RT_SIGRETURN)) {
        return None;
    }
    over_the_number(candidate, targets)
        .or_else(|| forward(candidate, targets))
        .or_else(|| (1..=candidate.before.len()).find_map(|n| mixed(candidate, targets, n)))
}

/// The common case: the number is loaded right before. The `syscall` itself stays in place, so a branch to it does no harm.
fn over_the_number(candidate: &Candidate, targets: &Targets) -> Option<Site> {
    let load =
        candidate.before.first().filter(|i| matches!(i.kind, Kind::LoadNumber(_)) && u64::from(i.len) >= JUMP)?;
    let free = !targets.inside(load.address, load.address + JUMP);
    free.then_some(Site { offset: load.address, before: load.len, after: 0 })
}

/// From the `syscall` on: needs no guess about where earlier instructions start.
fn forward(candidate: &Candidate, targets: &Targets) -> Option<Site> {
    mixed(candidate, targets, 0)
}

/// Over `count` instructions before the `syscall` and as many behind it as are needed.
fn mixed(candidate: &Candidate, targets: &Targets, count: usize) -> Option<Site> {
    let moved = candidate.before.get(..count)?;
    if !moved.iter().all(|i| matches!(i.kind, Kind::Movable | Kind::LoadNumber(_))) {
        return None;
    }
    let start = moved.last().map_or(candidate.address, |i| i.address);
    let mut end = candidate.address + 2;
    for next in &candidate.after {
        if end - start >= JUMP {
            break;
        }
        match next.kind {
            Kind::Fixed => return None,
            Kind::Movable | Kind::LoadNumber(_) => end = next.end(),
            Kind::Return => {
                end = next.end();
                break;
            }
        }
    }
    let site = Site {
        offset: start,
        before: u8::try_from(candidate.address - start).ok()?,
        after: u8::try_from(end - candidate.address - 2).ok()?,
    };
    (end - start >= JUMP && !targets.inside(start, end)).then_some(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn instruction(address: u64, len: u8, kind: Kind) -> Instruction {
        Instruction { address, len, kind }
    }

    fn candidate(before: &[(u8, Kind)], after: &[(u8, Kind)]) -> Candidate {
        let mut c = Candidate { address: 1000, ..Candidate::default() };
        let mut at = 1000;
        for (len, kind) in before {
            at -= u64::from(*len);
            c.before.push(instruction(at, *len, *kind));
        }
        at = 1002;
        for (len, kind) in after {
            c.after.push(instruction(at, *len, *kind));
            at += u64::from(*len);
        }
        c
    }

    fn site(offset: u64, before: u8, after: u8) -> Option<Site> {
        Some(Site { offset, before, after })
    }

    const NONE: Targets = Targets(Vec::new());

    #[test]
    fn a_patch_over_the_number_survives_a_branch_to_the_call() {
        let c = candidate(&[(5, Kind::LoadNumber(39))], &[]);
        assert_eq!(choose(&c, &Targets::new(vec![1000])), site(995, 5, 0));
        assert_eq!(choose(&c, &Targets::new(vec![995])), site(995, 5, 0), "the start may be a target");
        assert_eq!(choose(&c, &Targets::new(vec![997])), None);
    }

    #[test]
    fn the_restorer_stays() {
        let after = [(5, Kind::Movable)];
        assert_eq!(choose(&candidate(&[(7, Kind::LoadNumber(15))], &after), &NONE), None);
    }

    #[test]
    fn forward_comes_before_backward() {
        let c = candidate(&[(3, Kind::Movable)], &[(6, Kind::Movable)]);
        assert_eq!(choose(&c, &NONE), site(1000, 0, 6));
        assert_eq!(choose(&c, &Targets::new(vec![1002])), site(997, 3, 0));
    }

    #[test]
    fn what_must_stay_is_not_moved() {
        assert_eq!(choose(&candidate(&[(3, Kind::Fixed)], &[(6, Kind::Fixed)]), &NONE), None);
        assert_eq!(
            choose(&candidate(&[(2, Kind::Movable)], &[(1, Kind::Return), (9, Kind::Movable)]), &NONE),
            site(998, 2, 1)
        );
        assert_eq!(choose(&candidate(&[], &[(1, Kind::Return), (9, Kind::Movable)]), &NONE), None);
    }
}
