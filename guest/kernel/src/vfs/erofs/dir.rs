//! Directories: blocks of entries sorted by name, so that a name is found by two binary searches.

use core::cmp::Ordering;

use super::bytes::{le16, le64};
use super::{Image, Inode, Malformed, Nid};
use crate::vfs::Kind;

const ENTRY: usize = 12;

/// An entry of a directory.
pub(crate) struct Entry<'a> {
    /// The name.
    pub(crate) name: &'a [u8],
    /// Which inode it names.
    pub(crate) nid: Nid,
    /// Its type.
    pub(crate) kind: Kind,
    /// Its number in the directory.
    pub(crate) index: u64,
}

/// One block of a directory.
struct Block<'a> {
    data: &'a [u8],
    count: usize,
}

impl<'a> Block<'a> {
    fn new(data: &'a [u8]) -> Result<Self, Malformed> {
        let names_at = usize::from(le16(data, 8)?);
        if names_at < ENTRY || names_at > data.len() || names_at % ENTRY != 0 {
            return Err(Malformed::Directory);
        }
        Ok(Self { data, count: names_at / ENTRY })
    }

    fn name(&self, n: usize) -> Result<&'a [u8], Malformed> {
        let start = usize::from(le16(self.data, n * ENTRY + 8)?);
        if n + 1 < self.count {
            let end = usize::from(le16(self.data, (n + 1) * ENTRY + 8)?);
            return self.data.get(start..end).ok_or(Malformed::Directory);
        }
        // The last name ends with the block or with a zero byte.
        let rest = self.data.get(start..).ok_or(Malformed::Directory)?;
        Ok(rest.iter().position(|b| *b == 0).map_or(rest, |end| &rest[..end]))
    }

    fn target(&self, n: usize) -> Result<(Nid, Kind), Malformed> {
        let kind = match self.data.get(n * ENTRY + 10).copied() {
            Some(1) => Kind::Regular,
            Some(2) => Kind::Directory,
            Some(3) => Kind::CharDevice,
            Some(4) => Kind::BlockDevice,
            Some(5) => Kind::Fifo,
            Some(6) => Kind::Socket,
            Some(7) => Kind::Symlink,
            _ => return Err(Malformed::Directory),
        };
        Ok((Nid(le64(self.data, n * ENTRY)?), kind))
    }
}

impl<'a> Image<'a> {
    fn block(&self, directory: &Inode, number: u64) -> Result<Block<'a>, Malformed> {
        let data = self.data(directory, number << self.block_bits)?;
        Block::new(&data[..data.len().min(self.block_size() as usize)])
    }

    /// The inode that a name stands for in a directory.
    pub(crate) fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<Nid>, Malformed> {
        if directory.kind != Kind::Directory {
            return Ok(None);
        }
        // The last block whose first name is not behind `name`.
        let (mut low, mut high) = (0, directory.size.div_ceil(self.block_size()));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.block(directory, middle)?.name(0)?.cmp(name) {
                Ordering::Greater => high = middle,
                Ordering::Equal | Ordering::Less => low = middle + 1,
            }
        }
        let Some(number) = low.checked_sub(1) else { return Ok(None) };
        let block = self.block(directory, number)?;
        let (mut low, mut high) = (0, block.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match block.name(middle)?.cmp(name) {
                Ordering::Equal => return block.target(middle).map(|(nid, _)| Some(nid)),
                Ordering::Greater => high = middle,
                Ordering::Less => low = middle + 1,
            }
        }
        Ok(None)
    }

    /// Calls `emit` for the entries from number `first` on (`.` and `..` are among them) until it says `false`.
    pub(crate) fn entries(
        &self,
        directory: &Inode,
        first: u64,
        emit: &mut dyn FnMut(&Entry<'a>) -> bool,
    ) -> Result<(), Malformed> {
        if directory.kind != Kind::Directory {
            return Ok(());
        }
        let mut index = 0;
        for number in 0..directory.size.div_ceil(self.block_size()) {
            let block = self.block(directory, number)?;
            if index + (block.count as u64) <= first {
                index += block.count as u64;
                continue;
            }
            for n in 0..block.count {
                if index >= first {
                    let (nid, kind) = block.target(n)?;
                    if !emit(&Entry { name: block.name(n)?, nid, kind, index }) {
                        return Ok(());
                    }
                }
                index += 1;
            }
        }
        Ok(())
    }
}
