//! The map of an address space: pure data, no machine.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use platform::{Prot, UserRange};

use crate::vfs::{FileMapping, OpenFile};

/// A mapped file.
pub(crate) struct Backing {
    /// What its bytes are.
    pub(crate) mapping: FileMapping,
    /// The description that was mapped; keeps the file alive and knows its path.
    pub(crate) file: Arc<OpenFile>,
}

/// What a range shows.
#[derive(Clone)]
pub(crate) enum Content {
    /// Zero-filled memory.
    Anonymous,
    /// Memory of the process that has a name in /proc/self/maps (`[heap]`, `[stack]`).
    Named(&'static str),
    /// The stubs that rewritten system calls jump to. Nothing of the application may take their place.
    Stubs,
    /// A file from this byte on.
    File(Arc<Backing>, u64),
}

/// One mapping, without its start.
#[derive(Clone)]
pub(crate) struct Vma {
    /// First address behind it.
    pub(crate) end: u64,
    /// What the application asked for.
    pub(crate) prot: Prot,
    /// `MAP_SHARED`.
    pub(crate) shared: bool,
    /// Its text has been rewritten, so its pages may not be thrown away.
    pub(crate) rewritten: bool,
    /// What it shows.
    pub(crate) content: Content,
}

impl Vma {
    /// The part of it that begins `skip` bytes further on.
    fn tail(&self, skip: u64) -> Self {
        let mut tail = self.clone();
        if let Content::File(_, offset) = &mut tail.content {
            *offset += skip;
        }
        tail
    }

    fn continues(&self, start: u64, next: &Self) -> bool {
        let attributes = self.prot == next.prot && self.shared == next.shared && self.rewritten == next.rewritten;
        attributes
            && match (&self.content, &next.content) {
                (Content::Anonymous, Content::Anonymous) => !self.shared,
                (Content::Named(a), Content::Named(b)) => a == b,
                (Content::File(a, from), Content::File(b, to)) => {
                    Arc::ptr_eq(&a.file, &b.file) && from + (self.end - start) == *to
                }
                _ => false,
            }
    }
}

/// Which ranges are mapped; they never overlap.
#[derive(Default)]
pub(crate) struct Map {
    areas: BTreeMap<u64, Vma>,
}

impl Map {
    /// The mapping that holds an address, with its start.
    pub(crate) fn find(&self, addr: u64) -> Option<(u64, &Vma)> {
        self.areas.range(..=addr).next_back().filter(|(_, vma)| addr < vma.end).map(|(start, vma)| (*start, vma))
    }

    /// The mappings that touch a range, each with its start.
    pub(crate) fn touching(&self, range: UserRange) -> impl Iterator<Item = (u64, &Vma)> {
        let first = self.find(range.start).map_or(range.start, |(start, _)| start);
        self.areas.range(first..range.end).map(|(start, vma)| (*start, vma))
    }

    /// All mappings in the order of their addresses.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Vma)> {
        self.areas.iter().map(|(start, vma)| (*start, vma))
    }

    /// Whether nothing is mapped in a range.
    pub(crate) fn is_free(&self, range: UserRange) -> bool {
        self.touching(range).next().is_none()
    }

    /// Whether every page of a range is mapped.
    pub(crate) fn covers(&self, range: UserRange) -> bool {
        let mut at = range.start;
        for (start, vma) in self.touching(range) {
            if start > at {
                return false;
            }
            at = vma.end;
        }
        at >= range.end
    }

    /// Adds a mapping where nothing is mapped; joins it with neighbours that it continues.
    pub(crate) fn insert(&mut self, start: u64, vma: Vma) {
        debug_assert!(UserRange::new(start, vma.end - start).is_some_and(|range| self.is_free(range)));
        let (mut start, mut vma) = (start, vma);
        if let Some((before, previous)) = self.areas.range(..start).next_back()
            && previous.end == start
            && previous.continues(*before, &vma)
        {
            let (before, end) = (*before, vma.end);
            if let Some(mut joined) = self.areas.remove(&before) {
                joined.end = end;
                (start, vma) = (before, joined);
            }
        }
        if let Some(next) = self.areas.get(&vma.end)
            && vma.continues(start, next)
        {
            let (from, end) = (vma.end, next.end);
            self.areas.remove(&from);
            vma.end = end;
        }
        self.areas.insert(start, vma);
    }

    fn split(&mut self, at: u64) {
        let Some((start, vma)) = self.find(at) else { return };
        if start == at {
            return;
        }
        let tail = vma.tail(at - start);
        if let Some(head) = self.areas.get_mut(&start) {
            head.end = at;
        }
        self.areas.insert(at, tail);
    }

    /// Takes out what is mapped in a range, cutting mappings at its ends.
    pub(crate) fn remove(&mut self, range: UserRange) -> Vec<(u64, Vma)> {
        self.split(range.start);
        self.split(range.end);
        let starts: Vec<u64> = self.areas.range(range.start..range.end).map(|(start, _)| *start).collect();
        starts.into_iter().filter_map(|start| self.areas.remove(&start).map(|vma| (start, vma))).collect()
    }

    /// The highest free range of `len` bytes (whole pages) inside `within`.
    pub(crate) fn gap_below(&self, within: UserRange, len: u64) -> Option<u64> {
        let mut top = within.end;
        for (start, vma) in self.areas.range(..within.end).rev() {
            if vma.end < top && top - vma.end >= len {
                break;
            }
            top = top.min(*start);
            if top <= within.start {
                return None;
            }
        }
        top.checked_sub(len).filter(|start| *start >= within.start)
    }

    /// The lowest free range of `len` bytes (whole pages) inside `within`.
    pub(crate) fn gap_above(&self, within: UserRange, len: u64) -> Option<u64> {
        let mut bottom = within.start;
        for (start, vma) in self.touching(within) {
            if start > bottom && start - bottom >= len {
                break;
            }
            bottom = bottom.max(vma.end);
        }
        (bottom.checked_add(len)? <= within.end).then_some(bottom)
    }

    /// The bytes of all mappings that satisfy a condition.
    pub(crate) fn bytes(&self, mut condition: impl FnMut(&Vma) -> bool) -> u64 {
        self.iter().filter(|(_, vma)| condition(vma)).map(|(start, vma)| vma.end - start).sum()
    }
}

#[cfg(test)]
mod tests {
    use platform::PAGE_SIZE;

    use super::*;

    fn range(start: u64, end: u64) -> UserRange {
        UserRange { start: start * PAGE_SIZE, end: end * PAGE_SIZE }
    }

    fn anon(end: u64, prot: Prot) -> Vma {
        Vma { end: end * PAGE_SIZE, prot, shared: false, rewritten: false, content: Content::Anonymous }
    }

    fn shape(map: &Map) -> Vec<(u64, u64, bool)> {
        map.iter().map(|(start, vma)| (start / PAGE_SIZE, vma.end / PAGE_SIZE, vma.prot.write)).collect()
    }

    #[test]
    fn neighbours_join_and_removal_splits() {
        let mut map = Map::default();
        map.insert(10 * PAGE_SIZE, anon(12, Prot::RW));
        map.insert(14 * PAGE_SIZE, anon(16, Prot::RW));
        map.insert(12 * PAGE_SIZE, anon(14, Prot::RW));
        assert_eq!(shape(&map), [(10, 16, true)]);
        let taken = map.remove(range(12, 13));
        assert_eq!(taken.len(), 1);
        assert_eq!(shape(&map), [(10, 12, true), (13, 16, true)]);
        map.insert(12 * PAGE_SIZE, anon(13, Prot::R));
        assert_eq!(shape(&map), [(10, 12, true), (12, 13, false), (13, 16, true)]);
        assert!(map.covers(range(10, 16)) && !map.covers(range(9, 16)) && !map.covers(range(10, 17)));
        assert!(map.is_free(range(16, 20)) && !map.is_free(range(15, 20)));
        assert_eq!(map.bytes(|vma| vma.prot.write), 5 * PAGE_SIZE);
    }

    #[test]
    fn removal_over_several_mappings() {
        let mut map = Map::default();
        map.insert(PAGE_SIZE, anon(3, Prot::RW));
        map.insert(4 * PAGE_SIZE, anon(6, Prot::R));
        map.insert(8 * PAGE_SIZE, anon(10, Prot::RW));
        assert_eq!(map.remove(range(2, 9)).len(), 3);
        assert_eq!(shape(&map), [(1, 2, true), (9, 10, true)]);
    }

    #[test]
    fn gaps_are_found_from_both_ends() {
        let mut map = Map::default();
        map.insert(10 * PAGE_SIZE, anon(20, Prot::RW));
        map.insert(25 * PAGE_SIZE, anon(30, Prot::RW));
        let page = |n: u64| Some(n * PAGE_SIZE);
        assert_eq!(map.gap_below(range(1, 30), 5 * PAGE_SIZE), page(20));
        assert_eq!(map.gap_below(range(1, 30), 6 * PAGE_SIZE), page(4));
        assert_eq!(map.gap_below(range(1, 40), 6 * PAGE_SIZE), page(34));
        assert_eq!(map.gap_below(range(1, 30), 10 * PAGE_SIZE), None);
        assert_eq!(map.gap_above(range(12, 40), 5 * PAGE_SIZE), page(20));
        assert_eq!(map.gap_above(range(1, 40), 9 * PAGE_SIZE), page(1));
        assert_eq!(map.gap_above(range(12, 40), 10 * PAGE_SIZE), page(30));
        assert_eq!(map.gap_above(range(12, 35), 10 * PAGE_SIZE), None);
    }
}
