//! The table of an image's `syscall` instructions: found on the host by disassembly, once per image, and applied by the
//! guest whenever it maps program text.
//!
//! A naive search for the bytes `0f 05` finds one false instruction in six. So the code is decoded from known starts of
//! functions, and where two readings are possible the instruction is left alone: it will trap, which is slow but right.

mod code;
mod elf;
mod patch;

use boot_info::{Site, Sites};

pub use elf::sites;

/// The version of the analysis: tables of another version may patch what must not be patched, and are made anew.
pub const VERSION: u32 = 2;

/// Collects the sites of an image's files.
#[derive(Debug, Default)]
pub struct TableBuilder {
    sites: Vec<Site>,
}

impl TableBuilder {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file whose data lies in one piece at byte `offset` of the image's EROFS file. What is no x86-64 ELF file adds
    /// nothing.
    pub fn add(&mut self, offset: u64, file: &[u8]) {
        let shift = |site: Site| Some(Site { offset: site.offset.checked_add(offset)?, ..site });
        self.sites.extend(sites(file).into_iter().filter_map(shift));
    }

    /// Whether a file that starts with these bytes is worth reading for [`TableBuilder::add`].
    pub fn wants(start: &[u8]) -> bool {
        start.starts_with(b"\x7fELF\x02\x01\x01")
    }

    /// How many instructions were found.
    pub fn count(&self) -> usize {
        self.sites.len()
    }

    /// The table as the guest reads it.
    pub fn finish(mut self) -> Vec<u8> {
        self.sites.sort_unstable_by_key(|s| s.offset);
        self.sites.dedup_by_key(|s| s.offset);
        let mut bytes = Sites::header(self.sites.len() as u64).to_vec();
        self.sites.iter().for_each(|s| bytes.extend(s.encode()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_a_table() {
        let mut builder = TableBuilder::new();
        builder.add(4096, b"#!/bin/sh\n");
        builder.add(8192, b"\x7fELF\x02\x01\x01 and no more");
        let bytes = builder.finish();
        assert_eq!(Sites::new(&bytes).map(Sites::count), Some(0));
    }
}
