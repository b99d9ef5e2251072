use std::boxed::Box;
use std::vec;

use super::*;
use crate::mem::{Sink, Source};
use crate::vfs::{File, Inode, Kind};

fn file(tree: &'static Tree) -> Arc<Node> {
    let new = NewNode { kind: Kind::Regular, mode: 0o600, uid: 0, gid: 0, rdev: 0, target: b"" };
    tree.root().unwrap().add_unchecked(b"f", &new).unwrap()
}

#[test]
fn unchanged_inodes_of_the_image_are_not_kept() {
    crate::testing::setup();
    let directory = crate::vfs::testing::tempfile();
    crate::vfs::testing::populate(&directory);
    let image = Image::new(crate::vfs::testing::mkfs(&directory, &[])).unwrap();
    let _ = std::fs::remove_dir_all(&directory);
    let _ = std::fs::remove_file(directory.with_extension("erofs"));
    let tree: &'static Tree = Box::leak(Box::new(Tree::over(image, 99, false)));
    let root = tree.root().unwrap();
    let data = root.find(b"data").unwrap();
    let many = data.find(b"many").unwrap();
    let before = tree.nodes.lock().len();
    for n in 0..100 {
        let name = std::format!("file-with-a-long-name-{n:04}");
        let node = many.find(name.as_bytes()).unwrap();
        assert!(Arc::ptr_eq(&node, &many.find(name.as_bytes()).unwrap()));
    }
    assert_eq!(tree.nodes.lock().len(), before);
    let name = b"file-with-a-long-name-0001";
    let changed = many.find(name).unwrap();
    changed.clone().change(&crate::vfs::Changes { mode: Some(0o400), ..Default::default() }).unwrap();
    drop(changed);
    assert_eq!(many.find(name).unwrap().describe().mode, 0o400);
    assert_eq!(tree.nodes.lock().len(), before + 1);
    many.delete(name, false).unwrap();
    assert_eq!(many.find(name).err(), Some(Errno::ENOENT));
}

#[test]
fn a_read_only_tree_refuses_changes() {
    crate::testing::setup();
    let tree: &'static Tree = Box::leak(Box::new(Tree::read_only(98)));
    let node = file(tree);
    let root = tree.root().unwrap();
    assert_eq!(node.clone().change(&crate::vfs::Changes::default()), Err(Errno::EROFS));
    assert_eq!(root.delete(b"f", false), Err(Errno::EROFS));
    assert_eq!(
        Inode::create(root.clone(), b"g", &NewNode { kind: Kind::Fifo, mode: 0, uid: 0, gid: 0, rdev: 0, target: b"" })
            .err(),
        Some(Errno::EROFS)
    );
}

#[test]
fn random_writes_and_truncations_match_a_plain_buffer() {
    crate::testing::setup();
    let tree: &'static Tree = Box::leak(Box::new(Tree::empty(97)));
    let node = file(tree);
    let mut model = vec![0u8; 0];
    let mut seed = 7u64;
    let mut next = move |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for _ in 0..2000 {
        match next(4) {
            0 => {
                let size = next(600_000) as usize;
                let change = crate::vfs::Changes { size: Some(size as u64), ..Default::default() };
                node.clone().change(&change).unwrap();
                model.resize(size, 0);
            }
            1 => {
                let (at, len) = (next(600_000), next(20_000) + 1);
                File::allocate(&*node, 3, at, len).unwrap();
                let end = (at + len).min(model.len() as u64);
                if at < end {
                    model[at as usize..end as usize].fill(0);
                }
            }
            _ => {
                let (at, len) = (next(600_000) as usize, next(10_000) as usize + 1);
                let bytes = vec![next(255) as u8 + 1; len];
                assert_eq!(File::write(&*node, &mut Source::kernel(&bytes), at as u64), Ok(len));
                model.resize(model.len().max(at + len), 0);
                model[at..at + len].copy_from_slice(&bytes);
            }
        }
        assert_eq!(node.describe().size, model.len() as u64);
    }
    let mut read = vec![0; model.len()];
    assert_eq!(File::read(&*node, &mut Sink::kernel(&mut read), 0), Ok(model.len()));
    assert!(read == model);
}
