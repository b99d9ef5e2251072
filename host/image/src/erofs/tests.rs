use std::collections::BTreeMap;
use std::io::Read;

use super::*;
use crate::Limits;
use crate::tree::{Attributes, Content, Tree};

/// A small image with something of everything.
fn image() -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    let mut data = DataWriter::new(file.try_clone().unwrap()).unwrap();
    let mut tree = Tree::new(&Limits::default());
    tree.begin_layer();
    let attributes = |mode| Attributes {
        mode,
        uid: 7,
        xattrs: [(b"user.x".to_vec(), b"y".to_vec())].into(),
        ..Attributes::default()
    };
    let mut put = |path: &str, content| tree.insert(path.as_bytes(), attributes(0o755), content).unwrap();
    let text = data.write_file(5, &[Segment { offset: 0, len: 5 }], &mut &b"hello"[..]).unwrap();
    let holes = data.write_file(100_000, &[Segment { offset: 50_000, len: 4 }], &mut &b"data"[..]).unwrap();
    put("d/text", Content::File(text));
    put("holes", Content::File(holes));
    put("link", Content::Symlink(b"../d/./text".to_vec()));
    put("loop", Content::Symlink(b"/loop".to_vec()));
    put("long", Content::Symlink([b"x/".repeat(2000), b"y".to_vec()].concat()));
    put("null", Content::CharDevice { major: 1, minor: 3 });
    (0..500).for_each(|n| put(&format!("many/a-rather-long-name-{n}"), Content::Fifo));
    put("empty", Content::Directory(BTreeMap::new()));
    tree.hard_link(b"hard", b"d/text").unwrap();
    data.finish(&tree).unwrap();
    let mut bytes = Vec::new();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_written_is_read() {
    let image = image();
    assert_eq!(image.len() % 4096, 0);
    let reader = Reader::new(image.as_slice()).unwrap();
    let text = reader.lookup("/link").unwrap();
    assert_eq!(reader.read_file(&text, 100).unwrap(), b"hello");
    assert_eq!((text.links, text.uid, text.mode), (2, 7, 0o755));
    let offset = text.data_offset.unwrap() as usize;
    assert_eq!((offset % 4096, &image[offset..offset + 5]), (0, &b"hello"[..]));
    assert_eq!(reader.lookup("hard").unwrap().nid, text.nid);
    let holes = reader.lookup("/./d/../holes").unwrap();
    let mut part = [1; 6];
    assert_eq!(reader.read_at(&holes, 49_999, &mut part).unwrap(), 6);
    assert_eq!(&part, b"\0data\0");
    assert_eq!(reader.read_at(&holes, 99_998, &mut part).unwrap(), 2);
    assert_eq!(reader.read_at(&holes, u64::MAX, &mut part).unwrap(), 0);
    assert_eq!(reader.read_link(&reader.lookup_no_follow("long").unwrap()).unwrap().len(), 4001);
    assert_eq!(reader.lookup("null").unwrap().device, Some((1, 3)));
    assert_eq!(reader.xattrs(&text).unwrap()[&b"user.x"[..]], b"y");
    assert_eq!(reader.read_dir(&reader.lookup("many").unwrap()).unwrap().len(), 500);
    assert!(reader.read_dir(&reader.lookup("empty").unwrap()).unwrap().is_empty());
    assert_eq!(reader.inode_count(), 510);
}

#[test]
fn what_is_not_there_is_an_error() {
    let image = image();
    let reader = Reader::new(image.as_slice()).unwrap();
    assert!(matches!(reader.lookup("/nothing"), Err(ErofsError::NotFound(_))));
    assert!(matches!(reader.lookup("/hard/x"), Err(ErofsError::NotADirectory(_))));
    assert!(matches!(reader.lookup("/loop"), Err(ErofsError::SymlinkLoop(_))));
    let text = reader.lookup("hard").unwrap();
    assert!(matches!(reader.read_file(&text, 4), Err(ErofsError::TooLarge { size: 5, limit: 4 })));
    assert!(matches!(reader.read_dir(&text), Err(ErofsError::WrongKind { .. })));
    assert!(matches!(Reader::new(&b"x"[..]), Err(ErofsError::NotErofs)));
    assert!(matches!(Reader::new(&[0; 8192][..]), Err(ErofsError::NotErofs)));
}

/// Reads all that there is, as `check` and the fuzz target do.
fn read_everything(image: &[u8]) -> Result<(), ErofsError> {
    let reader = Reader::new(image)?;
    reader.walk(|_, inode| {
        reader.xattrs(inode)?;
        match inode.kind {
            FileKind::Regular => reader.read_file(inode, 1 << 20).map(drop),
            FileKind::Symlink => reader.read_link(inode).map(drop),
            _ => Ok(()),
        }
    })
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let image = image();
    read_everything(&image).unwrap();
    let mut flipped = image.clone();
    flipped[1024 + 40] ^= 1;
    assert!(matches!(read_everything(&flipped), Err(ErofsError::Checksum)));
    let metadata = u32::from_le_bytes(image[1064..1068].try_into().unwrap()) as usize * 4096;
    // The first inodes byte by byte, the many alike ones here and there.
    let alike = (metadata + 2048..image.len()).step_by(331);
    let mut damaged = image.clone();
    for offset in (metadata..metadata + 2048).chain(alike) {
        for value in [0, 0xff, image[offset] ^ 1, image[offset] ^ 0x80] {
            damaged[offset] = value;
            let _ = read_everything(&damaged);
        }
        damaged[offset] = image[offset];
    }
    for len in (0..image.len()).step_by(1000) {
        assert!(read_everything(&image[..len]).is_err());
    }
}

#[test]
fn a_directory_that_contains_itself_ends() {
    let mut image = image();
    let reader = Reader::new(image.as_slice()).unwrap();
    let root = reader.inode(reader.root()).unwrap();
    let empty = reader.lookup("empty").unwrap();
    let (from, to) = (empty.nid.0.to_le_bytes(), root.nid.0.to_le_bytes());
    let start = root.data_offset.unwrap() as usize;
    let place = (start..start + 200).find(|place| image[*place..*place + 8] == from).unwrap();
    image[place..place + 8].copy_from_slice(&to);
    assert!(matches!(read_everything(&image), Err(ErofsError::Malformed { what: "directory tree", .. })));
}
