//! Reads everything in any bytes that claim to be an EROFS image.
#![no_main]

use image::ErofsError;
use image::erofs::{FileKind, Reader};

libfuzzer_sys::fuzz_target!(|image: &[u8]| {
    let Ok(reader) = Reader::new(image) else { return };
    let _ = reader.lookup("/etc/passwd");
    let _ = reader.walk(|_, inode| {
        reader.xattrs(inode)?;
        match inode.kind {
            FileKind::Regular => reader.read_file(inode, 1 << 16).map(drop),
            FileKind::Symlink => reader.read_link(inode).map(drop),
            _ => Ok::<(), ErofsError>(()),
        }
    });
});
