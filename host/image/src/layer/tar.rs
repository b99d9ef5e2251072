//! Reads tar archives: ustar, PAX and GNU (tar(5); GNU tar manual, "Basic Tar Format").
//!
//! Unlike general libraries it bounds everything that an archive can make it keep in memory.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::pax;
use super::sparse::Map;
use crate::erofs::Segment;

/// The unit of an archive.
pub(crate) const RECORD: usize = 512;
/// Bound on one extended header or long name. Linux allows 64 KiB of extended attributes in a listing, so this is ample.
const MAX_EXTENSION: u64 = 1 << 20;

/// An archive that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream failed: unreadable, badly compressed, or larger than allowed.
    #[error("cannot read the archive")]
    Io(#[from] io::Error),
    /// It ends in the middle of an entry.
    #[error("the archive is truncated; fetch or create it again")]
    Truncated,
    /// A header's checksum or a number in it is wrong.
    #[error("the archive is damaged, or not a tar archive: bad {0}")]
    Malformed(&'static str),
    /// A long name or extended header is larger than any honest one.
    #[error("the archive has an extended header of {0} bytes, more than the 1 MiB that are allowed")]
    ExtensionTooLarge(u64),
}

/// What an entry makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    HardLink(Vec<u8>),
    Symlink(Vec<u8>),
    Directory,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

/// One entry, with its extended headers applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) mtime_nsec: u32,
    /// The file's size, holes included.
    pub(crate) size: u64,
    /// The runs that are stored in the archive, in order.
    pub(crate) segments: Vec<Segment>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A stream of entries. The data of the current entry are read through `Read`.
#[derive(Debug)]
pub(crate) struct TarReader<R> {
    inner: R,
    /// Bytes of the current entry that are still to come, and the padding behind them.
    data: u64,
    padding: u64,
    global: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Extended headers in front of an entry.
#[derive(Debug, Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<R: Read> TarReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, data: 0, padding: 0, global: BTreeMap::new() }
    }

    /// The stream behind the archive's end.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }

    /// The next entry; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extensions = Extensions { records: self.global.clone(), ..Extensions::default() };
        loop {
            self.skip_rest()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(&header[124..136]).ok_or(TarError::Malformed("size"))?;
            self.set_data(size);
            match header[156] {
                b'L' => extensions.name = Some(until_nul(&self.extension()?).to_vec()),
                b'K' => extensions.link = Some(until_nul(&self.extension()?).to_vec()),
                kind @ (b'x' | b'X' | b'g') => {
                    let body = self.extension()?;
                    let records = pax::records(&body).ok_or(TarError::Malformed("extended header"))?;
                    let target = if kind == b'g' { &mut self.global } else { &mut extensions.records };
                    target.extend(records.iter().map(|(key, value)| (key.to_vec(), value.to_vec())));
                    if kind == b'g' {
                        let more = records.iter().map(|(key, value)| (key.to_vec(), value.to_vec()));
                        extensions.records.extend(more);
                        let kept: usize = self.global.iter().map(|(key, value)| key.len() + value.len()).sum();
                        if kept as u64 > MAX_EXTENSION {
                            return Err(TarError::ExtensionTooLarge(kept as u64));
                        }
                    }
                }
                // GNU: volume labels and the middle of multi-volume files mean nothing here.
                b'V' | b'M' | b'N' => {}
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
    }

    fn set_data(&mut self, size: u64) {
        self.data = size;
        self.padding = size.next_multiple_of(RECORD as u64) - size;
    }

    fn skip_rest(&mut self) -> Result<(), TarError> {
        let rest = self.data.saturating_add(self.padding);
        let skipped = io::copy(&mut self.inner.by_ref().take(rest), &mut io::sink())?;
        self.data = 0;
        self.padding = 0;
        if skipped < rest { Err(TarError::Truncated) } else { Ok(()) }
    }

    /// Reads a header; `None` at the end, which is a zero record or, as some writers have it, the end of the stream.
    fn header(&mut self) -> Result<Option<[u8; RECORD]>, TarError> {
        let mut header = [0; RECORD];
        let mut filled = 0;
        while filled < RECORD {
            match self.inner.read(&mut header[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(TarError::Truncated),
                read => filled += read,
            }
        }
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum = |signed: bool| -> i64 {
            let value = |byte: u8| if signed { i64::from(byte as i8) } else { i64::from(byte) };
            let blank = 8 * i64::from(b' ');
            header.iter().enumerate().filter(|(i, _)| !(148..156).contains(i)).map(|(_, b)| value(*b)).sum::<i64>()
                + blank
        };
        let stored = number(&header[148..156]).ok_or(TarError::Malformed("checksum"))? as i64;
        // Some old writers summed signed bytes.
        if stored != sum(false) && stored != sum(true) {
            return Err(TarError::Malformed("checksum"));
        }
        Ok(Some(header))
    }

    /// Reads the data of an extended header.
    fn extension(&mut self) -> Result<Vec<u8>, TarError> {
        if self.data > MAX_EXTENSION {
            return Err(TarError::ExtensionTooLarge(self.data));
        }
        let mut body = vec![0; self.data as usize];
        self.read_exact(&mut body).map_err(truncated)?;
        Ok(body)
    }

    fn entry(&mut self, header: &[u8; RECORD], mut extensions: Extensions) -> Result<Entry, TarError> {
        let records = &mut extensions.records;
        if let Some(size) = records.remove(&b"size"[..]) {
            self.set_data(pax::decimal(&size).ok_or(TarError::Malformed("size"))?);
        }
        let text = |record: Option<Vec<u8>>, long: Option<Vec<u8>>, short: Vec<u8>| record.or(long).unwrap_or(short);
        let mut path = text(records.remove(&b"path"[..]), extensions.name, short_name(header));
        let link = text(records.remove(&b"linkpath"[..]), extensions.link, until_nul(&header[157..257]).to_vec());
        let device = || -> Option<(u32, u32)> {
            let part = |range: std::ops::Range<usize>| u32::try_from(number(&header[range])?).ok();
            Some((part(329..337)?, part(337..345)?)).filter(|(major, minor)| *major <= 0xfff && *minor <= 0xf_ffff)
        };
        let device = || device().ok_or(TarError::Malformed("device number"));
        let kind = match header[156] {
            // Version 7 archives mark directories by their name only.
            0 | b'0' | b'7' if path.ends_with(b"/") => EntryKind::Directory,
            b'1' => EntryKind::HardLink(link),
            b'2' => EntryKind::Symlink(link),
            b'3' => device().map(|(major, minor)| EntryKind::CharDevice { major, minor })?,
            b'4' => device().map(|(major, minor)| EntryKind::BlockDevice { major, minor })?,
            b'5' | b'D' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            // POSIX: an unknown type is a regular file.
            _ => EntryKind::File,
        };
        let (mut size, mut segments) = (self.data, Vec::new());
        if kind == EntryKind::File {
            if let Some(name) = records.remove(&b"GNU.sparse.name"[..]) {
                path = name;
            }
            (size, segments) = self.segments(header, records)?;
        }
        let id = |field: &[u8], record: Option<Vec<u8>>| {
            record.map_or_else(|| number(field), |text| pax::decimal(&text)).and_then(|id| u32::try_from(id).ok())
        };
        let uid = id(&header[108..116], records.remove(&b"uid"[..])).ok_or(TarError::Malformed("owner"))?;
        let gid = id(&header[116..124], records.remove(&b"gid"[..])).ok_or(TarError::Malformed("group"))?;
        let (mtime, mtime_nsec) = match records.remove(&b"mtime"[..]) {
            Some(text) => pax::time(&text),
            None => number(&header[136..148]).map(|seconds| (seconds as i64, 0)),
        }
        .ok_or(TarError::Malformed("time"))?;
        let mode = number(&header[100..108]).ok_or(TarError::Malformed("mode"))?;
        let xattrs = std::mem::take(records)
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(b"SCHILY.xattr.")?.to_vec(), value)))
            .collect();
        Ok(Entry { path, kind, mode: (mode & 0o7777) as u16, uid, gid, mtime, mtime_nsec, size, segments, xattrs })
    }

    /// The size of a regular file and the runs of it that follow.
    fn segments(
        &mut self,
        header: &[u8; RECORD],
        records: &mut BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Result<(u64, Vec<Segment>), TarError> {
        let malformed = || TarError::Malformed("sparse map");
        let mut decimal = |key: &[u8]| records.remove(key).and_then(|text| pax::decimal(&text));
        let major = decimal(b"GNU.sparse.major");
        let real_size = decimal(b"GNU.sparse.realsize").or_else(|| decimal(b"GNU.sparse.size"));
        let list = records.remove(&b"GNU.sparse.map"[..]);
        let (size, map) = if header[156] == b'S' {
            (number(&header[483..495]).ok_or_else(malformed)?, self.old_sparse_map(header)?)
        } else if let (Some(1), Some(size)) = (major, real_size) {
            (size, self.sparse_map_in_data()?)
        } else if let (Some(list), Some(size)) = (list, real_size) {
            (size, Map::from_list(&list).ok_or_else(malformed)?)
        } else if self.data == 0 {
            return Ok((0, Vec::new()));
        } else {
            return Ok((self.data, vec![Segment { offset: 0, len: self.data }]));
        };
        Ok((size, map.finish(size, self.data).ok_or_else(malformed)?))
    }

    /// The old GNU format: four runs in the header, further ones in records behind it.
    fn old_sparse_map(&mut self, header: &[u8; RECORD]) -> Result<Map, TarError> {
        let malformed = || TarError::Malformed("sparse map");
        let mut map = Map::default();
        map.push_table(&header[386..482]).ok_or_else(malformed)?;
        let mut extended = header[482] != 0;
        while extended {
            let mut record = [0; RECORD];
            self.inner.read_exact(&mut record).map_err(truncated)?;
            map.push_table(&record[..504]).ok_or_else(malformed)?;
            extended = record[504] != 0;
        }
        Ok(map)
    }

    /// The PAX 1.0 format: decimal lines in front of the data, padded to a whole record.
    fn sparse_map_in_data(&mut self) -> Result<Map, TarError> {
        let mut consumed = 0usize;
        let mut failure = None;
        let map = Map::from_numbers(|| {
            let mut digits = Vec::new();
            loop {
                let mut byte = [0];
                if let Err(error) = self.read_exact(&mut byte) {
                    failure = Some(truncated(error));
                    return None;
                }
                consumed += 1;
                match byte[0] {
                    b'\n' => return pax::decimal(&digits),
                    digit if digits.len() < 20 => digits.push(digit),
                    _ => return None,
                }
            }
        });
        let map = map.ok_or_else(|| failure.unwrap_or(TarError::Malformed("sparse map")))?;
        let mut rest = vec![0; consumed.next_multiple_of(RECORD) - consumed];
        self.read_exact(&mut rest).map_err(truncated)?;
        Ok(map)
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer.len().min(usize::try_from(self.data).unwrap_or(usize::MAX));
        let read = self.inner.read(&mut buffer[..want])?;
        self.data -= read as u64;
        Ok(read)
    }
}

fn truncated(error: io::Error) -> TarError {
    if error.kind() == io::ErrorKind::UnexpectedEof { TarError::Truncated } else { TarError::Io(error) }
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Name and, in ustar headers, the prefix in front of it.
fn short_name(header: &[u8; RECORD]) -> Vec<u8> {
    let name = until_nul(&header[..100]);
    let prefix = until_nul(&header[345..500]);
    // GNU headers ("ustar  ") have other fields in place of the prefix.
    if &header[257..263] == b"ustar\0" && !prefix.is_empty() { [prefix, b"/", name].concat() } else { name.to_vec() }
}

/// A number: octal digits, or big-endian binary marked by the highest bit (GNU). Negative ones are refused but for times,
/// which two's complement gets right when the value is taken for signed.
pub(crate) fn number(field: &[u8]) -> Option<u64> {
    match field.first()? {
        0x80 | 0xff => {
            let (fill, bytes) = (if field[0] == 0xff { 0xff } else { 0 }, &field[1..]);
            let (high, low) = bytes.split_at(bytes.len().saturating_sub(8));
            if high.iter().any(|byte| *byte != fill) {
                return None;
            }
            let start = if fill == 0xff { u64::MAX } else { 0 };
            Some(low.iter().fold(start, |value, byte| value << 8 | u64::from(*byte)))
        }
        _ => {
            let text = until_nul(field).trim_ascii();
            text.iter().try_fold(0u64, |value, digit| match digit {
                b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
                _ => None,
            })
        }
    }
}

#[cfg(test)]
mod tests;
