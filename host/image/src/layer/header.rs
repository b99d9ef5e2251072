//! Writes headers of tar archives (pax(1), "ustar Interchange Format").

use super::pax;
use super::tar::RECORD;

/// The header of an entry, with an extended header in front where a value does not fit.
pub(crate) fn headers(name: &[u8], kind: u8, mode: u32, mtime: i64, size: u64, link: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    if name.len() > 100 {
        records.extend(pax::record("path", name));
    }
    if link.len() > 100 {
        records.extend(pax::record("linkpath", link));
    }
    if size >= 1 << 33 {
        records.extend(pax::record("size", size.to_string().as_bytes()));
    }
    if !(0..1 << 33).contains(&mtime) {
        records.extend(pax::record("mtime", mtime.to_string().as_bytes()));
    }
    let mut out = Vec::new();
    if !records.is_empty() {
        out.extend(header(b"extended", b'x', 0o644, 0, records.len() as u64, b""));
        let padded = records.len().next_multiple_of(RECORD);
        records.resize(padded, 0);
        out.extend(records);
    }
    out.extend(header(name, kind, mode, mtime, size, link));
    out
}

/// One ustar header; values that do not fit are cut, as the extended header has them.
fn header(name: &[u8], kind: u8, mode: u32, mtime: i64, size: u64, link: &[u8]) -> [u8; RECORD] {
    let mut header = [0; RECORD];
    let mut put = |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(100)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{:011o}", if size < 1 << 33 { size } else { 0 }).as_bytes());
    put(136, format!("{:011o}", mtime.clamp(0, (1 << 33) - 1)).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(157, &link[..link.len().min(100)]);
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
