use std::vec::Vec;

use super::*;
use crate::vfs::Kind;
use crate::vfs::testing::{mkfs, pattern, populate, tempfile};

fn find(image: &Image<'_>, path: &str) -> Option<Inode> {
    path.split('/').try_fold(image.inode(image.root()).ok()?, |at, name| {
        image.inode(image.lookup(&at, name.as_bytes()).ok()??).ok()
    })
}

fn contents(image: &Image<'_>, inode: &Inode) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match image.data(inode, all.len() as u64).unwrap() {
            [] => return all,
            piece => all.extend_from_slice(piece),
        }
    }
}

fn check(options: &[&str]) {
    let directory = tempfile();
    populate(&directory);
    std::fs::write(directory.join("data/tail"), pattern(4096 * 3 + 17)).unwrap();
    let bytes = mkfs(&directory, options);
    let _ = std::fs::remove_dir_all(&directory);
    let _ = std::fs::remove_file(directory.with_extension("erofs"));
    let image = Image::new(bytes).unwrap();
    for (path, expected) in [
        ("data/small", b"small".to_vec()),
        ("data/zero", Vec::new()),
        ("data/page", pattern(4096)),
        ("data/tail", pattern(4096 * 3 + 17)),
        ("data/large", pattern(1_000_003)),
        ("data/many/file-with-a-long-name-0000", b"0".to_vec()),
        ("data/many/file-with-a-long-name-0999", b"999".to_vec()),
    ] {
        let inode = find(&image, path).expect(path);
        assert_eq!(inode.kind, Kind::Regular);
        assert_eq!(contents(&image, &inode), expected, "{path} with {options:?}");
        if let Some((offset, len)) = image.extent(&inode) {
            let (offset, len) = (offset as usize, (len as usize).min(expected.len()));
            assert_eq!(bytes[offset..offset + len], expected[..len], "extent of {path}");
        }
    }
    assert!(find(&image, "data/many/file-with-a-long-name-").is_none());
    assert!(find(&image, "data/many/zzz").is_none());
    let link = find(&image, "data/link").unwrap();
    assert_eq!((link.kind, contents(&image, &link)), (Kind::Symlink, b"small".to_vec()));
    let mut count = 0;
    image
        .entries(&find(&image, "data/many").unwrap(), 0, &mut |_| {
            count += 1;
            true
        })
        .unwrap();
    assert_eq!(count, 1002);
    assert_eq!(find(&image, "data/small").unwrap().nlink, 2);
    // The large file can be mapped in place.
    assert!(image.extent(&find(&image, "data/large").unwrap()).unwrap().1 >= 1_000_003 & !4095);
}

#[test]
fn images_of_mkfs_are_read() {
    check(&[]);
    check(&["-Eforce-inode-extended"]);
    check(&["-Enoinline_data"]);
    check(&["-Eforce-inode-compact", "-T1700000000"]);
}

#[test]
fn damaged_images_give_errors() {
    let directory = tempfile();
    populate(&directory);
    let bytes = mkfs(&directory, &[]);
    let _ = std::fs::remove_dir_all(&directory);
    let _ = std::fs::remove_file(directory.with_extension("erofs"));
    assert!(matches!(Image::new(&bytes[..1000]), Err(Malformed::Truncated)));
    let mut copy = bytes[..100_000].to_vec();
    copy[1024] = 0;
    assert!(matches!(Image::new(&copy), Err(Malformed::Magic(_))));
    copy[1024] = bytes[1024];
    // Whatever byte of the metadata is wrong: no panic, no endless walk.
    let mut seed = 1u32;
    for _ in 0..3000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = 1024 + (seed >> 8) as usize % (copy.len() - 1024);
        let old = copy[at];
        copy[at] = seed as u8;
        parse_image(&copy);
        copy[at] = old;
    }
}
