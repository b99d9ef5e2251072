//! The table of an image's system call instructions: made once per image on the host, applied by the guest when it maps
//! program text.
//!
//! Sixteen bytes of header (a magic word and the number of entries), then one entry of twelve bytes per instruction,
//! sorted by offset.

const MAGIC: [u8; 8] = *b"CRCLSYS1";
const HEADER: usize = 16;
const ENTRY: usize = 12;

/// One `syscall` instruction and the instructions around it that move into its stub.
///
/// The patch starts at `offset`; `before` bytes of whole instructions precede the `syscall` (2 bytes) and `after` bytes
/// follow it. Together they hold the five bytes of a `jmp rel32`, and every one of them can be executed elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// Where the patch starts: a byte offset in the image's file.
    pub offset: u64,
    /// Bytes of instructions before the `syscall`.
    pub before: u8,
    /// Bytes of instructions after it.
    pub after: u8,
}

impl Site {
    /// The bytes that the patch and the moved instructions span.
    pub const fn span(self) -> u64 {
        self.before as u64 + 2 + self.after as u64
    }

    /// The entry in the table.
    pub fn encode(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8] = self.before;
        bytes[9] = self.after;
        bytes
    }

    fn decode(bytes: &[u8; ENTRY]) -> Self {
        let [o0, o1, o2, o3, o4, o5, o6, o7, before, after, _, _] = *bytes;
        Self { offset: u64::from_le_bytes([o0, o1, o2, o3, o4, o5, o6, o7]), before, after }
    }
}

/// The table, read in place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sites<'a>(&'a [[u8; ENTRY]]);

impl<'a> Sites<'a> {
    /// The header of a table of `count` entries.
    pub fn header(count: u64) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..].copy_from_slice(&count.to_le_bytes());
        bytes
    }

    /// Takes an encoded table; `None` if it is not one.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (entries, tail) = rest.as_chunks::<ENTRY>();
        let complete = u64::from_le_bytes(*count) == entries.len() as u64 && tail.is_empty();
        (*magic == MAGIC && complete).then_some(Self(entries))
    }

    /// How many there are.
    pub const fn count(self) -> usize {
        self.0.len()
    }

    /// The sites whose whole span lies between two offsets.
    pub fn within(self, from: u64, to: u64) -> impl Iterator<Item = Site> + Clone {
        let start = self.0.partition_point(|e| Site::decode(e).offset < from);
        self.0[start..]
            .iter()
            .map(Site::decode)
            .take_while(move |s| s.offset < to)
            .filter(move |s| s.span() >= 5 && s.offset.checked_add(s.span()).is_some_and(|end| end <= to))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn table(sites: &[Site]) -> Vec<u8> {
        let mut bytes = Vec::from(Sites::header(sites.len() as u64));
        sites.iter().for_each(|s| bytes.extend(s.encode()));
        bytes
    }

    const fn site(offset: u64, before: u8, after: u8) -> Site {
        Site { offset, before, after }
    }

    #[test]
    fn sites_are_found_by_range() {
        let all = [site(10, 5, 0), site(100, 0, 3), site(4090, 5, 0), site(1 << 40, 5, 0)];
        let bytes = table(&all);
        let sites = Sites::new(&bytes).unwrap();
        assert!(sites.within(0, 4096).eq([all[0], all[1]]), "the third crosses the end");
        assert!(sites.within(11, u64::MAX).eq(all[1..].iter().copied()));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let bytes = table(&[site(1, 5, 0)]);
        assert!(Sites::new(&bytes).is_some());
        for len in 0..bytes.len() {
            assert!(Sites::new(&bytes[..len]).is_none(), "{len}");
        }
        assert!(Sites::new(&[0; 28]).is_none());
    }
}
