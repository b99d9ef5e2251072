use super::*;

fn directory() -> Content {
    Content::Directory(BTreeMap::new())
}

fn file(block: u32) -> Content {
    Content::File(Extent { block, size: 1 })
}

fn tree(entries: &[(&str, Content)]) -> Tree {
    let mut tree = Tree::new(&Limits::default());
    tree.begin_layer();
    for (path, content) in entries {
        tree.insert(path.as_bytes(), Attributes::default(), content.clone()).unwrap();
    }
    tree
}

fn has(tree: &mut Tree, path: &str) -> bool {
    // lookup() makes missing parents, so parents are asked for first.
    let mut prefix = String::new();
    path.split('/').all(|part| {
        prefix.push_str(part);
        let found = tree.lookup(prefix.as_bytes()).unwrap().is_some();
        prefix.push('/');
        found
    })
}

#[test]
fn parents_that_are_links_are_followed_inside_only() {
    let mut tree = tree(&[
        ("usr/lib", directory()),
        ("lib", Content::Symlink(b"usr/lib".to_vec())),
        ("out", Content::Symlink(b"../../../etc".to_vec())),
        ("abs", Content::Symlink(b"/usr/./lib/".to_vec())),
    ]);
    for path in ["lib/a", "abs/b", "out/passwd"] {
        tree.insert(path.as_bytes(), Attributes::default(), file(1)).unwrap();
    }
    for path in ["usr/lib/a", "usr/lib/b", "etc/passwd"] {
        assert!(has(&mut tree, path), "{path}");
    }
}

#[test]
fn hostile_paths_are_refused() {
    let mut tree = tree(&[
        ("loop", Content::Symlink(b"loop".to_vec())),
        ("a", Content::Symlink(b"b/x".to_vec())),
        ("b", Content::Symlink(b"a/y".to_vec())),
        ("file", file(1)),
    ]);
    let mut insert = |path: &[u8]| tree.insert(path, Attributes::default(), file(2)).unwrap_err();
    assert!(matches!(insert(b"x/../../etc/passwd"), TreeError::GoesUp(_)));
    assert!(matches!(insert(b".."), TreeError::GoesUp(_)));
    assert!(matches!(insert(b"loop/x"), TreeError::SymlinkLoop(_)));
    assert!(matches!(insert(b"a/x"), TreeError::SymlinkLoop(_)));
    assert!(matches!(insert(b"file/x"), TreeError::NotADirectory(_)));
    assert!(matches!(insert(b"/"), TreeError::BadPath(_)));
    assert!(matches!(insert(b"nul\0"), TreeError::BadPath(_)));
    assert!(matches!(insert("n".repeat(256).as_bytes()), TreeError::BadPath(_)));
    assert!(matches!(insert("d/".repeat(300).as_bytes()), TreeError::TooDeep { .. }));
}

#[test]
fn a_chain_of_links_cannot_pile_up_depth() {
    let mut tree = tree(&[]);
    for round in 0..10 {
        let path = format!("l{round}/{}x", "d/".repeat(60));
        if round > 0 {
            let target = format!("l{}/{}", round - 1, "d/".repeat(60));
            tree.insert(format!("l{round}").as_bytes(), Attributes::default(), Content::Symlink(target.into_bytes()))
                .unwrap();
        }
        if let Err(error) = tree.insert(path.as_bytes(), Attributes::default(), file(1)) {
            assert!(matches!(error, TreeError::TooDeep { .. }));
            return;
        }
    }
    panic!("unbounded depth");
}

#[test]
fn whiteouts_hide_lower_layers_only() {
    let mut tree = tree(&[("d/low", file(1)), ("d/sub/low", file(2)), ("gone", file(3))]);
    tree.begin_layer();
    tree.insert(b"d/new", Attributes::default(), file(4)).unwrap();
    tree.insert(b"d/sub/new", Attributes::default(), file(5)).unwrap();
    tree.clear_lower(b"d").unwrap();
    tree.remove_lower(b"gone").unwrap();
    tree.remove_lower(b"never/was").unwrap();
    for path in ["d/new", "d/sub/new"] {
        assert!(has(&mut tree, path), "{path}");
    }
    for path in ["d/low", "d/sub/low", "gone"] {
        assert!(!has(&mut tree, path), "{path}");
    }
    assert_eq!(tree.dead_extents().len(), 3);
}

#[test]
fn hard_links_share_one_node() {
    let mut tree = tree(&[("a", file(1)), ("d", directory())]);
    tree.hard_link(b"b", b"a").unwrap();
    tree.hard_link(b"a", b"a").unwrap();
    assert_eq!(tree.lookup(b"a"), tree.lookup(b"b"));
    let id = tree.lookup(b"a").unwrap().unwrap();
    assert_eq!(tree.node(id).links, 2);
    tree.insert(b"a", Attributes::default(), file(2)).unwrap();
    assert!(tree.dead_extents().is_empty());
    for (path, target) in [("x", "missing"), ("x", "d"), ("x", "/")] {
        assert!(matches!(tree.hard_link(path.as_bytes(), target.as_bytes()), Err(TreeError::BadHardLink { .. })));
    }
}

#[test]
fn a_file_replaces_a_directory_and_back() {
    let mut tree = tree(&[("d/a", file(1)), ("d/b", file(2))]);
    tree.insert(b"d", Attributes::default(), file(3)).unwrap();
    assert_eq!(tree.dead_extents().len(), 2);
    tree.insert(b"d", Attributes::default(), directory()).unwrap();
    assert!(!has(&mut tree, "d/a"));
}

#[test]
fn the_number_of_files_is_limited() {
    let mut tree = Tree::new(&Limits { entries: 3, ..Limits::default() });
    let mut insert = |path: &[u8]| tree.insert(path, Attributes::default(), file(1));
    assert!(insert(b"1").and_then(|()| insert(b"2")).and_then(|()| insert(b"3")).is_ok());
    assert_eq!(insert(b"4"), Err(TreeError::TooManyEntries(3)));
}
