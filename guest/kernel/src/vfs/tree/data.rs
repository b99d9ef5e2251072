//! The contents of a regular file: pages in memory over bytes of the image.

use linux_abi::Errno;

use super::pages::{Pages, SIZE};
use crate::mem::{Sink, Source};
use crate::vfs::erofs::{self, Image};

static ZEROS: [u8; SIZE] = [0; SIZE];

/// The image's part of a file.
#[derive(Clone, Copy)]
pub(super) struct Lower {
    pub(super) image: Image<'static>,
    pub(super) inode: erofs::Inode,
    /// How many of its bytes still show: less after a truncation.
    pub(super) len: u64,
}

/// The contents of a file.
#[derive(Default)]
pub(super) struct Data {
    pub(super) size: u64,
    pub(super) lower: Option<Lower>,
    pub(super) pages: Pages,
}

impl Data {
    /// The contents that the image has.
    pub(super) fn of_image(image: Image<'static>, inode: erofs::Inode) -> Self {
        let lower = Lower { image, inode, len: inode.size };
        Self { size: inode.size, lower: Some(lower), pages: Pages::default() }
    }

    /// The bytes from `offset` on that lie together, within the page unless the file is as in the image. `offset` is
    /// before the end.
    fn piece(&self, offset: u64) -> Result<&[u8], Errno> {
        let within = offset as usize % SIZE;
        let left = self.size - offset;
        if let Some(page) = self.pages.get(offset / SIZE as u64) {
            return Ok(limited(&page[within..], left));
        }
        if let Some(lower) = self.lower.as_ref().filter(|lower| offset < lower.len) {
            let bytes = limited(lower.image.data(&lower.inode, offset)?, lower.len - offset);
            let whole = self.pages.count() == 0;
            return Ok(limited(bytes, if whole { left } else { left.min((SIZE - within) as u64) }));
        }
        Ok(limited(&ZEROS[within..], left))
    }

    /// Reads from `offset` on.
    pub(super) fn read(&self, to: &mut Sink<'_>, offset: u64) -> Result<usize, Errno> {
        let mut done = 0;
        while to.remaining() > 0 && offset.checked_add(done as u64).is_some_and(|at| at < self.size) {
            let piece = self.piece(offset + done as u64)?;
            let put = match to.put(piece) {
                Ok(n) => n,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            done += put;
            // A zero means that the application's memory ended.
            if put == 0 || (put < piece.len() && to.remaining() > 0) {
                break;
            }
        }
        Ok(done)
    }

    /// Writes at `offset`; the caller bounded the end.
    pub(super) fn write(&mut self, from: &mut Source<'_>, offset: u64) -> Result<usize, Errno> {
        let mut done = 0;
        while from.remaining() > 0 {
            let at = offset + done as u64;
            let within = at as usize % SIZE;
            let n = (SIZE - within).min(from.remaining());
            let result = self.page(at / SIZE as u64).and_then(|page| from.take(&mut page[within..within + n]));
            let taken = match result {
                Ok(taken) => taken,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            done += taken;
            self.size = self.size.max(at + taken as u64);
            if taken < n {
                break;
            }
        }
        Ok(done)
    }

    /// A page to be changed.
    fn page(&mut self, number: u64) -> Result<&mut [u8; SIZE], Errno> {
        let lower = self.lower;
        self.pages.get_or_make(number, |page| match lower {
            Some(lower) => fill_from(&lower, number * SIZE as u64, page),
            None => Ok(()),
        })
    }

    /// Makes the file longer (with zeros) or shorter.
    pub(super) fn truncate(&mut self, size: u64) -> Result<(), Errno> {
        if size < self.size {
            let partial = size % SIZE as u64;
            // The rest of the last page must read as zeros if the file grows again.
            if partial != 0 && self.pages.get(size / SIZE as u64).is_some() {
                self.page(size / SIZE as u64)?[partial as usize..].fill(0);
            }
            self.pages.remove(size.div_ceil(SIZE as u64), u64::MAX);
            if let Some(lower) = &mut self.lower {
                lower.len = lower.len.min(size);
            }
        }
        self.size = size;
        Ok(())
    }

    /// Makes a range read as zeros, giving back whole pages (`FALLOC_FL_PUNCH_HOLE`).
    pub(super) fn punch(&mut self, offset: u64, len: u64) -> Result<(), Errno> {
        let end = match offset.saturating_add(len) {
            // What lies behind the end of the file goes with its last page.
            end if end >= self.size => self.size.next_multiple_of(SIZE as u64),
            end => end,
        };
        let mut at = offset;
        while at < end {
            let number = at / SIZE as u64;
            let within = at as usize % SIZE;
            let n = ((SIZE - within) as u64).min(end - at);
            let in_lower = self.lower.as_ref().is_some_and(|lower| number * (SIZE as u64) < lower.len);
            if n == SIZE as u64 && !in_lower {
                // Nothing of the image lies under it from here on: whole pages just go.
                let last = end / SIZE as u64;
                self.pages.remove(number, last);
                at = last * SIZE as u64;
                continue;
            }
            if in_lower || self.pages.get(number).is_some() {
                self.page(number)?[within..within + n as usize].fill(0);
            }
            at += n;
        }
        Ok(())
    }

    /// Reserves memory for a range (fallocate(2)).
    pub(super) fn reserve(&mut self, offset: u64, len: u64) -> Result<(), Errno> {
        for number in offset / SIZE as u64..(offset + len).div_ceil(SIZE as u64) {
            self.page(number)?;
        }
        Ok(())
    }

    /// Where data or a hole begins at or behind `offset`.
    pub(super) fn seek(&self, offset: u64, data: bool) -> Result<u64, Errno> {
        if offset >= self.size {
            return Err(Errno::ENXIO);
        }
        let lower = self.lower.as_ref().map_or(0, |lower| lower.len.next_multiple_of(SIZE as u64));
        if data {
            if offset < lower {
                return Ok(offset);
            }
            let page = self.pages.next(offset / SIZE as u64).ok_or(Errno::ENXIO)?;
            let at = (page * SIZE as u64).max(offset);
            return if at < self.size { Ok(at) } else { Err(Errno::ENXIO) };
        }
        let mut at = offset.max(lower);
        while at < self.size && self.pages.get(at / SIZE as u64).is_some() {
            at = (at / SIZE as u64 + 1) * SIZE as u64;
        }
        Ok(at.min(self.size))
    }

    /// `st_blocks`.
    pub(super) fn blocks(&self) -> u64 {
        let lower = self.lower.as_ref().map_or(0, |lower| lower.len.div_ceil(512));
        (self.pages.count() * 8).max(lower)
    }

    /// Whether nothing differs from the image.
    pub(super) fn as_in_image(&self) -> Option<&Lower> {
        self.lower
            .as_ref()
            .filter(|lower| self.pages.count() == 0 && lower.len == self.size && self.size == lower.inode.size)
    }
}

fn limited(bytes: &[u8], len: u64) -> &[u8] {
    &bytes[..bytes.len().min(usize::try_from(len).unwrap_or(usize::MAX))]
}

fn fill_from(lower: &Lower, offset: u64, page: &mut [u8; SIZE]) -> Result<(), Errno> {
    let mut done = 0;
    while done < SIZE && offset + (done as u64) < lower.len {
        let at = offset + done as u64;
        let bytes = limited(lower.image.data(&lower.inode, at)?, lower.len - at);
        let n = bytes.len().min(SIZE - done);
        page[done..done + n].copy_from_slice(&bytes[..n]);
        done += n;
    }
    Ok(())
}
