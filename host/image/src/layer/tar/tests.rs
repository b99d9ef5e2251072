use super::*;
use crate::layer::pax::record;

fn header(path: &str, kind: ::tar::EntryType, size: u64) -> ::tar::Header {
    let mut header = ::tar::Header::new_gnu();
    header.set_path(path).unwrap();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o4755);
    header.set_uid(1000);
    header.set_gid(3_000_000);
    header.set_mtime(77);
    header
}

fn read_all(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
    let mut reader = TarReader::new(bytes);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut data = Vec::new();
        reader.read_to_end(&mut data)?;
        entries.push((entry, data));
    }
    Ok(entries)
}

#[test]
fn entries_of_an_independent_writer() {
    let mut builder = ::tar::Builder::new(Vec::new());
    let long = "d/".repeat(80) + "file";
    builder.append_data(&mut header("x", ::tar::EntryType::Regular, 5), &long, &b"hello"[..]).unwrap();
    builder.append_link(&mut header("x", ::tar::EntryType::Symlink, 0), "link", &long).unwrap();
    let extensions =
        [("path", "p\u{e4}x".as_bytes()), ("SCHILY.xattr.user.a", b"\n\0"), ("mtime", b"12.5"), ("uid", b"7")];
    builder.append_pax_extensions(extensions).unwrap();
    let mut directory = header("short", ::tar::EntryType::Directory, 0);
    directory.set_cksum();
    builder.append(&directory, io::empty()).unwrap();
    let mut device = header("null", ::tar::EntryType::Char, 0);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    device.set_cksum();
    builder.append(&device, io::empty()).unwrap();
    let entries = read_all(&builder.into_inner().unwrap());
    let entries = entries.unwrap();
    let (file, data) = &entries[0];
    assert_eq!((file.path.as_slice(), data.as_slice(), file.size), (long.as_bytes(), &b"hello"[..], 5));
    assert_eq!((file.mode, file.uid, file.gid, file.mtime), (0o4755, 1000, 3_000_000, 77));
    assert_eq!(entries[1].0.kind, EntryKind::Symlink(long.clone().into_bytes()));
    let directory = entries.iter().find(|(entry, _)| entry.path == "p\u{e4}x".as_bytes()).unwrap();
    assert_eq!((directory.0.mtime, directory.0.mtime_nsec, directory.0.uid), (12, 500_000_000, 7));
    assert_eq!(directory.0.xattrs[&b"user.a"[..]], b"\n\0");
    assert_eq!(entries.last().unwrap().0.kind, EntryKind::CharDevice { major: 1, minor: 3 });
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(matches!(read_all(&[b'x'; 2048]), Err(TarError::Malformed(_))));
    assert!(matches!(read_all(b"short"), Err(TarError::Truncated)));
    assert!(read_all(&[]).unwrap().is_empty());
    let mut builder = ::tar::Builder::new(Vec::new());
    builder.append_data(&mut header("x", ::tar::EntryType::Regular, 2000), "x", &[1; 2000][..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    assert!(matches!(read_all(&bytes[..2000]), Err(TarError::Truncated)));
    let mut flipped = bytes;
    flipped[3] ^= 1;
    assert!(matches!(read_all(&flipped), Err(TarError::Malformed("checksum"))));
}

#[test]
fn huge_names_are_refused_before_they_are_read() {
    let mut name = header("@LongLink", ::tar::EntryType::GNULongName, 1 << 40);
    name.set_cksum();
    assert!(matches!(read_all(name.as_bytes()), Err(TarError::ExtensionTooLarge(_))));
}

#[test]
fn sparse_files_of_every_format() {
    // PAX 1.0: the map is in front of the data.
    let extended = [
        record("GNU.sparse.major", b"1"),
        record("GNU.sparse.minor", b"0"),
        record("GNU.sparse.name", b"holes"),
        record("GNU.sparse.realsize", b"10000"),
    ]
    .concat();
    let mut map = b"1\n8192\n4\n".to_vec();
    map.resize(512, 0);
    map.extend(b"data");
    let mut builder = ::tar::Builder::new(Vec::new());
    let mut pax = header("x", ::tar::EntryType::XHeader, extended.len() as u64);
    pax.set_cksum();
    builder.append(&pax, extended.as_slice()).unwrap();
    let mut file = header("GNUSparseFile.0/holes", ::tar::EntryType::Regular, map.len() as u64);
    file.set_cksum();
    builder.append(&file, map.as_slice()).unwrap();
    // The old GNU format: the map is in the header.
    let mut old = header("old", ::tar::EntryType::GNUSparse, 4);
    let gnu = old.as_gnu_mut().unwrap();
    gnu.sparse[0].set_offset(4096);
    gnu.sparse[0].set_length(4);
    gnu.set_real_size(5000);
    old.set_cksum();
    builder.append(&old, &b"DATA"[..]).unwrap();
    let entries = read_all(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(entries[0].0.path, b"holes");
    assert_eq!((entries[0].0.size, &entries[0].1[..]), (10_000, &b"data"[..]));
    assert_eq!(entries[0].0.segments, [Segment { offset: 8192, len: 4 }]);
    assert_eq!((entries[1].0.size, &entries[1].1[..]), (5000, &b"DATA"[..]));
    assert_eq!(entries[1].0.segments, [Segment { offset: 4096, len: 4 }]);
}

#[test]
fn numbers() {
    assert_eq!(number(b"0000644\0"), Some(0o644));
    assert_eq!(number(b"   644 \0"), Some(0o644));
    assert_eq!(number(b"\0\0\0\0"), Some(0));
    assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), Some(256));
    assert_eq!(number(&[0xff; 12]), Some(u64::MAX));
    assert_eq!(number(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), None);
    for bad in [&b"9"[..], b"-1", b"7 7", b""] {
        assert_eq!(number(bad), None);
    }
}

#[test]
fn damaged_headers_are_no_panic() {
    let mut builder = ::tar::Builder::new(Vec::new());
    let long = "d/".repeat(80);
    builder.append_data(&mut header("x", ::tar::EntryType::Regular, 5), long + "f", &b"hello"[..]).unwrap();
    builder.append_pax_extensions([("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.realsize", b"9")]).unwrap();
    builder.append_data(&mut header("x", ::tar::EntryType::Regular, 600), "y", &[b'1'; 600][..]).unwrap();
    let mut sparse = header("z", ::tar::EntryType::GNUSparse, 0);
    sparse.set_cksum();
    builder.append(&sparse, io::empty()).unwrap();
    let good = builder.into_inner().unwrap();
    for offset in 0..good.len() {
        for value in [0, 0xff, 0x80, b'7', b'S', b'x', b'L', good[offset] ^ 1] {
            let mut damaged = good.clone();
            damaged[offset] = value;
            // With a check sum that fits, so that the fields themselves are looked at.
            let start = offset / RECORD * RECORD;
            let record = &mut damaged[start..start + RECORD];
            record[148..156].fill(b' ');
            let sum: u32 = record.iter().map(|byte| u32::from(*byte)).sum();
            record[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            let _ = read_all(&damaged);
        }
    }
}
