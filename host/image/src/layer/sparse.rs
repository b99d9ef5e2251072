//! Maps of sparse files (GNU tar manual, "Storing Sparse Files").

use super::pax::decimal;
use super::tar::number;
use crate::erofs::Segment;

/// More runs than this are taken for an attack.
const MAX_SEGMENTS: usize = 1 << 16;

/// A map being read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Map(Vec<Segment>);

impl Map {
    /// Adds a run; `None` if there are too many.
    fn push(&mut self, offset: u64, len: u64) -> Option<()> {
        if len > 0 {
            self.0.push(Segment { offset, len });
        }
        (self.0.len() <= MAX_SEGMENTS).then_some(())
    }

    /// Adds the entries of an old-style table: offset and length, 12 bytes each, until an empty one.
    pub(crate) fn push_table(&mut self, table: &[u8]) -> Option<()> {
        for entry in table.chunks_exact(24).take_while(|entry| entry[0] != 0) {
            self.push(number(&entry[..12])?, number(&entry[12..])?)?;
        }
        Some(())
    }

    /// The map of format 0.1: `offset,length,offset,length…`
    pub(crate) fn from_list(list: &[u8]) -> Option<Self> {
        let numbers: Vec<u64> = list.split(|byte| *byte == b',').map(decimal).collect::<Option<_>>()?;
        let mut map = Self::default();
        for pair in numbers.chunks(2) {
            map.push(*pair.first()?, *pair.get(1)?)?;
        }
        Some(map)
    }

    /// The map of format 1.0, in front of the data: the number of runs, then offsets and lengths, one per line.
    pub(crate) fn from_numbers(mut next: impl FnMut() -> Option<u64>) -> Option<Self> {
        let count = usize::try_from(next()?).ok().filter(|count| *count <= MAX_SEGMENTS)?;
        let mut map = Self::default();
        for _ in 0..count {
            map.push(next()?, next()?)?;
        }
        Some(map)
    }

    /// The runs, if they are in order, lie within the file and are as long together as the stored data.
    pub(crate) fn finish(self, size: u64, stored: u64) -> Option<Vec<Segment>> {
        let (mut end, mut total) = (0, 0u64);
        for segment in &self.0 {
            if segment.offset < end {
                return None;
            }
            end = segment.offset.checked_add(segment.len)?;
            total = total.checked_add(segment.len)?;
        }
        (end <= size && total == stored).then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_must_be_consistent() {
        let map = |list: &str| Map::from_list(list.as_bytes()).unwrap();
        assert_eq!(map("0,4,8,2,20,0").finish(20, 6).unwrap().len(), 2);
        for (list, size, stored) in [("4,4,0,2", 10, 6), ("0,4,2,4", 10, 8), ("0,4", 3, 4), ("0,4", 10, 5)] {
            assert_eq!(map(list).finish(size, stored), None, "{list}");
        }
        assert_eq!(Map::from_list(b"18446744073709551615,2").unwrap().finish(u64::MAX, 2), None);
        assert_eq!(Map::from_list(b"1,2,3"), None);
        assert_eq!(Map::from_list(b""), None);
    }

    #[test]
    fn the_number_of_runs_is_bounded() {
        assert_eq!(Map::from_numbers(|| Some(1 << 40)), None);
        let mut numbers = [2, 0, 1, 5, 1].into_iter();
        assert_eq!(Map::from_numbers(|| numbers.next()).unwrap().0.len(), 2);
    }
}
