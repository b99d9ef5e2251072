//! The pages of a file that are in memory. A hole costs nothing.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use linux_abi::Errno;

use super::budget;

/// Bytes of a page.
pub(super) const SIZE: usize = 4096;
/// Pages of a chunk: one lookup in the map serves 256 KiB, and a small file pays 512 bytes for its chunk.
const CHUNK: usize = 64;

type Bytes = Box<[u8; SIZE]>;

/// A page in memory, counted in the budget.
struct Page(Bytes);

impl Page {
    fn new() -> Result<Self, Errno> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(SIZE).map_err(|_| Errno::ENOSPC)?;
        bytes.resize(SIZE, 0u8);
        let bytes: Bytes = bytes.into_boxed_slice().try_into().map_err(|_| Errno::ENOSPC)?;
        budget::take_page()?;
        Ok(Self(bytes))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        budget::give_page();
    }
}

struct Chunk {
    pages: Box<[Option<Page>]>,
    used: usize,
}

/// Pages by number.
#[derive(Default)]
pub(super) struct Pages {
    chunks: BTreeMap<u64, Chunk>,
    count: u64,
}

impl Pages {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The page of this number, if it is in memory.
    pub(super) fn get(&self, number: u64) -> Option<&[u8; SIZE]> {
        let chunk = self.chunks.get(&(number / CHUNK as u64))?;
        chunk.pages[number as usize % CHUNK].as_ref().map(|page| &*page.0)
    }

    /// The page of this number; if there is none, a zeroed one that `fill` may fill is made.
    pub(super) fn get_or_make(
        &mut self,
        number: u64,
        fill: impl FnOnce(&mut [u8; SIZE]) -> Result<(), Errno>,
    ) -> Result<&mut [u8; SIZE], Errno> {
        let chunk = self
            .chunks
            .entry(number / CHUNK as u64)
            .or_insert_with(|| Chunk { pages: core::iter::repeat_with(|| None).take(CHUNK).collect(), used: 0 });
        let slot = &mut chunk.pages[number as usize % CHUNK];
        if slot.is_none() {
            let mut page = Page::new()?;
            fill(&mut page.0)?;
            *slot = Some(page);
            chunk.used += 1;
            self.count += 1;
        }
        slot.as_mut().map(|page| &mut *page.0).ok_or(Errno::EIO)
    }

    /// Removes the pages from `first` to before `end`.
    pub(super) fn remove(&mut self, first: u64, end: u64) {
        let chunks: Vec<u64> =
            self.chunks.range(first / CHUNK as u64..=end.saturating_sub(1) / CHUNK as u64).map(|(n, _)| *n).collect();
        for number in chunks {
            let Some(chunk) = self.chunks.get_mut(&number) else { continue };
            let base = number * CHUNK as u64;
            let from = first.saturating_sub(base).min(CHUNK as u64) as usize;
            let to = end.saturating_sub(base).min(CHUNK as u64) as usize;
            let before = chunk.used;
            for slot in &mut chunk.pages[from..to.max(from)] {
                chunk.used -= usize::from(slot.take().is_some());
            }
            self.count -= (before - chunk.used) as u64;
            if chunk.used == 0 {
                self.chunks.remove(&number);
            }
        }
    }

    /// The number of the first page in memory that is not before `number`.
    pub(super) fn next(&self, number: u64) -> Option<u64> {
        for (chunk_number, chunk) in self.chunks.range(number / CHUNK as u64..) {
            let base = chunk_number * CHUNK as u64;
            let from = number.saturating_sub(base) as usize;
            if let Some(at) = (from..CHUNK).find(|at| chunk.pages[*at].is_some()) {
                return Some(base + at as u64);
            }
        }
        None
    }
}
