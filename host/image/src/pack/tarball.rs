//! Writes the layer: a POSIX archive (pax(1)) whose bytes depend on the files alone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::PackError;
use super::files::{FileSet, Item};
use crate::file::{At, FileError};
use crate::layer::{RECORD, tar_headers};

/// Writes all files, in the order of their paths. `at` names the archive in errors.
pub(crate) fn write(
    files: &FileSet,
    out: &mut dyn Write,
    at: &Path,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<(), PackError> {
    for (path, item) in files.iter() {
        entry(path, item, out, at)?;
        if let Item::HostFile { size, .. } = item {
            on_bytes(*size);
        }
    }
    Ok(out.write_all(&[0; 2 * RECORD]).at("write", at)?)
}

fn entry(path: &Path, item: &Item, out: &mut dyn Write, at: &Path) -> Result<(), PackError> {
    // Names in an archive are relative to the root; directories end in a slash.
    let path = path.as_os_str().as_bytes();
    let mut name = path.strip_prefix(b"/").unwrap_or(path).to_vec();
    let (kind, mode, mtime, size, link): (u8, u32, i64, u64, &[u8]) = match item {
        Item::Directory { mode, mtime } => (b'5', *mode, *mtime, 0, b""),
        Item::Symlink { target, mtime } => (b'2', 0o777, *mtime, 0, target.as_os_str().as_bytes()),
        Item::HostFile { mode, mtime, size, .. } => (b'0', *mode, *mtime, *size, b""),
        Item::Bytes { bytes, mode } => (b'0', *mode, 0, bytes.len() as u64, b""),
    };
    if kind == b'5' {
        name.push(b'/');
    }
    let headers = tar_headers(&name, kind, mode, mtime, size, link);
    out.write_all(&headers).at("write", at)?;
    match item {
        Item::HostFile { host, size, .. } => copy(host, *size, out, at)?,
        Item::Bytes { bytes, .. } => out.write_all(bytes).at("write", at)?,
        _ => {}
    }
    let padding = size.next_multiple_of(RECORD as u64) - size;
    Ok(out.write_all(&[0; RECORD][..padding as usize]).at("write", at)?)
}

fn copy(host: &Path, size: u64, out: &mut dyn Write, at: &Path) -> Result<(), PackError> {
    let mut file = File::open(host).at("open", host)?;
    let mut left = size;
    let mut buffer = vec![0; 128 << 10];
    while left > 0 {
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = file.read(&mut buffer[..want]).at("read", host)?;
        if read == 0 {
            let shrunk = io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter meanwhile");
            return Err(FileError { action: "read", path: host.to_owned(), source: shrunk }.into());
        }
        out.write_all(&buffer[..read]).at("write", at)?;
        left -= read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_independent_reader_reads_it() {
        let mut files = FileSet::default();
        let long = format!("/{}file", "directory/".repeat(15));
        files.add_at(Path::new(&long), Item::Bytes { bytes: b"hello".to_vec(), mode: 0o4755 }).unwrap();
        let target = "t".repeat(150);
        files.add_at(Path::new("/link"), Item::Symlink { target: (&target).into(), mtime: 5 }).unwrap();
        let mut out = Vec::new();
        write(&files, &mut out, Path::new("x"), &mut |_| {}).unwrap();
        let mut archive = tar::Archive::new(out.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut data = String::new();
            entry.read_to_string(&mut data).unwrap();
            let header = entry.header();
            seen.push((
                entry.path().unwrap().to_str().unwrap().to_owned(),
                header.mode().unwrap(),
                header.mtime().unwrap(),
                entry.link_name().unwrap().map(|link| link.to_str().unwrap().to_owned()),
                data,
            ));
        }
        assert_eq!(seen.len(), 17);
        assert!(seen.contains(&(long[1..].to_owned(), 0o4755, 0, None, "hello".into())));
        assert!(seen.contains(&("link".into(), 0o777, 5, Some(target), String::new())));
        assert_eq!(seen[0].0, "directory/");
    }
}
