//! Archives that are broken or mean harm: each is refused with an error that says why, and leaves nothing in the store.

mod common;

use common::*;
use image::{AssembleError, LayerError, Limits, LoadError, LoadOptions, Store, StoreError, TarError, TreeError, load};
use serde_json::json;

/// Loads what must not load, and sees that nothing stays.
fn refused_within(limits: Limits, archive: &[u8]) -> LoadError {
    let (_dir, store) = new_store();
    let before = files_of(&store);
    let options = LoadOptions { limits, name: None };
    let error = load(&store, archive, &options, &mut silent()).unwrap_err();
    assert_eq!(files_of(&store), before, "{error}");
    assert!(store.list().unwrap().is_empty());
    error
}

fn refused(archive: &[u8]) -> LoadError {
    refused_within(Limits::default(), archive)
}

/// The error of the layer that is at fault.
fn layer_error(error: LoadError) -> LayerError {
    match error {
        LoadError::Store(StoreError::Assemble(AssembleError::Layer { source, .. })) => *source,
        other => panic!("{other:?}"),
    }
}

fn refused_layer(files: &[File<'_>]) -> LayerError {
    layer_error(refused(&archive_of(&[layer(files)])))
}

#[test]
fn paths_that_escape() {
    for path in ["../evil", "a/../../evil", "..", "/../evil"] {
        let error = refused_layer(&[File::Data(path, b"x")]);
        assert!(matches!(error, LayerError::Tree(TreeError::GoesUp(_))), "{path}: {error}");
    }
    let error = refused_layer(&[File::HardLink("link", "../../etc/shadow")]);
    assert!(matches!(error, LayerError::Tree(TreeError::GoesUp(_))), "{error}");
}

#[test]
fn links_that_lead_out_lead_nowhere() {
    // The link's target is the image's own /etc, which the file then makes.
    let archive = archive_of(&[layer(&[File::Symlink("out", "/../../../etc"), File::Data("out/evil", b"x")])]);
    let (_dir, store) = new_store();
    let images = load(&store, archive.as_slice(), &LoadOptions::default(), &mut silent()).unwrap();
    let reader = image::erofs::Reader::open(&images[0].erofs).unwrap();
    assert!(reader.lookup_no_follow("/etc/evil").is_ok());
    assert!(reader.lookup("/out/evil").is_ok());
    assert!(!std::path::Path::new("/etc/evil").exists());
}

#[test]
fn loops_and_things_in_the_way() {
    let error = refused_layer(&[File::Symlink("a", "b"), File::Symlink("b", "a"), File::Data("a/x", b"x")]);
    assert!(matches!(error, LayerError::Tree(TreeError::SymlinkLoop(_))), "{error}");
    let error = refused_layer(&[File::Data("f", b"x"), File::Data("f/x", b"x")]);
    assert!(matches!(error, LayerError::Tree(TreeError::NotADirectory(_))), "{error}");
    let error = refused_layer(&[File::HardLink("x", "missing")]);
    assert!(matches!(error, LayerError::Tree(TreeError::BadHardLink { .. })), "{error}");
    let error = refused_layer(&[File::Data(".wh..", b"")]);
    assert!(matches!(error, LayerError::BadWhiteout(_)), "{error}");
}

#[test]
fn truncated_at_any_place() {
    let good = archive_of(&[layer(&[File::Data("f", &[7; 5000])])]);
    for len in [0, 1, 511, 512, 700, 1024, 3000, good.len() / 2, good.len() - 3000] {
        refused(&good[..len]);
        refused(&gzip(&good)[..len.min(gzip(&good).len() - 10)]);
    }
    let whole = layer(&[File::Data("f", &[7; 5000])]);
    let error = layer_error(refused(&archive_of(&[whole[..3000].to_vec()])));
    assert!(matches!(error, LayerError::Tar(TarError::Truncated)) || error.to_string().contains("unpack"), "{error}");
    let cut = gzip(&whole);
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[(TAR_GZIP, cut[..cut.len() - 20].to_vec(), whole)]);
    layout.name(image, "x");
    refused(&layout.archive());
}

#[test]
fn damaged_at_any_place() {
    let whole = layer(&[File::Data("f", &[7; 100]), File::Symlink("l", "f"), File::Dir("d")]);
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[(TAR_GZIP, gzip(&whole), whole)]);
    layout.name(image, "x");
    let good = layout.archive();
    let (_dir, store) = new_store();
    let before = files_of(&store);
    for offset in (0..good.len()).step_by(29) {
        let mut damaged = good.clone();
        damaged[offset] ^= 0x15;
        // What is no part of the image may be damaged; then it is loaded as it was.
        if load(&store, damaged.as_slice(), &LoadOptions::default(), &mut silent()).is_ok() {
            let names = store.list().unwrap();
            names.iter().for_each(|image| drop(store.remove(&image::Reference::from_digest(image.digest)).unwrap()));
        }
        assert_eq!(files_of(&store), before, "{offset}");
    }
}

#[test]
fn digests_that_do_not_fit() {
    let plain = layer(&[File::Data("f", b"x")]);
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[(TAR, plain.clone(), plain.clone())]);
    layout.name(image, "x");
    for file in 0..layout.files.len() {
        let mut tampered = Layout { files: layout.files.clone(), index: layout.index.clone() };
        let middle = tampered.files[file].1.len() / 2;
        tampered.files[file].1[middle] ^= 1;
        let error = refused(&tampered.archive());
        assert!(matches!(error, LoadError::DigestMismatch { .. }), "{error}");
        let mut incomplete = Layout { files: layout.files.clone(), index: layout.index.clone() };
        incomplete.files.remove(file);
        assert!(matches!(refused(&incomplete.archive()), LoadError::Missing(_)));
    }
    let mut lying = Layout::default();
    let image = lying.image("amd64", &[(TAR, plain.clone(), b"something else".to_vec())]);
    lying.name(image, "x");
    let error = refused(&lying.archive());
    assert!(matches!(error, LoadError::Store(StoreError::Assemble(AssembleError::DiffId { .. }))), "{error}");
    let mut sized = Layout { files: layout.files.clone(), index: layout.index.clone() };
    sized.index[0]["size"] = json!(1);
    assert!(matches!(refused(&sized.archive()), LoadError::SizeMismatch { .. }));
}

#[test]
fn labels_that_lie() {
    let plain = layer(&[File::Data("f", b"x")]);
    for (label, stored) in
        [(TAR, gzip(&plain)), (TAR_GZIP, plain.clone()), (TAR_GZIP, zstd(&plain)), (TAR_ZSTD, gzip(&plain))]
    {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &[(label, stored, plain.clone())]);
        layout.name(image, "x");
        let error = refused(&layout.archive());
        assert!(matches!(error, LoadError::Store(StoreError::Assemble(AssembleError::Mislabelled { .. }))), "{error}");
    }
    let mut layout = Layout::default();
    let image = layout.image("amd64", &[("application/x-rar", plain.clone(), plain)]);
    layout.name(image, "x");
    assert!(matches!(refused(&layout.archive()), LoadError::LayerType { .. }));
}

#[test]
fn bombs() {
    let zeros = vec![0; 64 << 20];
    let bomb = layer(&[File::Data("zeros", &zeros)]);
    let limits = Limits { unpacked_bytes: 16 << 20, entries: 10, ..Limits::default() };
    for (label, stored) in [(TAR_GZIP, gzip(&bomb)), (TAR_ZSTD, zstd(&bomb))] {
        let mut layout = Layout::default();
        let image = layout.image("amd64", &[(label, stored, bomb.clone())]);
        layout.name(image, "x");
        let archive = layout.archive();
        assert!(archive.len() < 2 << 20);
        let error = layer_error(refused_within(limits.clone(), &archive));
        assert!(matches!(error, LayerError::TooManyBytes(_)), "{error}");
    }
    // The archive itself is the bomb.
    let outer = gzip(&archive_of(&[bomb]));
    assert!(matches!(refused_within(limits, &outer), LoadError::Source(_)));
    // Many small files.
    let names: Vec<String> = (0..1000).map(|n| format!("f{n}")).collect();
    let files: Vec<File<'_>> = names.iter().map(|name| File::Data(name, b"")).collect();
    let few = Limits { entries: 100, ..Limits::default() };
    let error = layer_error(refused_within(few, &archive_of(&[layer(&files)])));
    assert!(matches!(error, LayerError::TooManyEntries(100)), "{error}");
    // A sparse file that claims to be huge.
    let mut header = tar::Header::new_gnu();
    header.set_path("huge").unwrap();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.as_gnu_mut().unwrap().set_real_size(1 << 60);
    header.set_cksum();
    let error = layer_error(refused(&archive_of(&[header.as_bytes().to_vec()])));
    assert!(matches!(error, LayerError::TooManyBytes(_)), "{error}");
}

#[test]
fn documents_that_are_none() {
    assert!(matches!(refused(&layer(&[File::Data("hello", b"x")])), LoadError::NotAnImage));
    assert!(matches!(
        refused(b"not a tar archive, but long enough to be one".repeat(50).as_slice()),
        LoadError::Archive(_)
    ));
    let layout = |index: &[u8]| layer(&[File::Data("oci-layout", b"{}"), File::Data("index.json", index)]);
    assert!(matches!(refused(&layout(b"{")), LoadError::Document { .. }));
    assert!(matches!(refused(&layout(b"{\"schemaVersion\":2,\"manifests\":[]}")), LoadError::NoPlatform { .. }));
    let small = Limits { json_bytes: 100, ..Limits::default() };
    assert!(matches!(refused_within(small, &layout(&[b' '; 101])), LoadError::DocumentTooLarge { .. }));
    let docker = |manifest: &[u8]| layer(&[File::Data("manifest.json", manifest)]);
    let outside = br#"[{"Config":"../../../etc/passwd","Layers":["/etc/passwd"]}]"#;
    assert!(matches!(refused(&docker(outside)), LoadError::Missing(_)));
    let mut deep = Layout::default();
    let mut inner = deep.image("amd64", &[]);
    for _ in 0..6 {
        let index = json!({ "schemaVersion": 2, "manifests": [inner] }).to_string();
        inner = deep.blob("application/vnd.oci.image.index.v1+json", index.as_bytes());
    }
    deep.index.push(inner);
    assert!(matches!(refused(&deep.archive()), LoadError::TooDeep(_)));
}

#[test]
fn a_layout_directory_cannot_point_outside() {
    let (dir, store) = new_store();
    let layout = dir.path().join("layout");
    std::fs::create_dir(&layout).unwrap();
    std::fs::write(layout.join("manifest.json"), r#"[{"Config":"../secret.json","Layers":[]}]"#).unwrap();
    std::fs::write(dir.path().join("secret.json"), "{}").unwrap();
    let error = image::load_directory(&store, &layout, &LoadOptions::default(), &mut silent()).unwrap_err();
    assert!(matches!(error, LoadError::Missing(_)), "{error}");
}

/// Where the inner run of the next test finds its small disk.
const SMALL_DISK: &str = "CORACLE_TEST_SMALL_DISK";

#[test]
fn a_full_disk_is_said_to_be_one() {
    if let Some(disk) = std::env::var_os(SMALL_DISK) {
        return load_onto(std::path::Path::new(&disk));
    }
    // Once more, in a mount namespace of its own with a file system of 1 MiB.
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=1m none \"$0\"; exec \"$1\" --exact a_full_disk_is_said_to_be_one";
    let status = std::process::Command::new("unshare")
        .args(["-m", "sh", "-euc", script])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, dir.path())
        .status();
    assert!(status.unwrap().success());
}

fn load_onto(disk: &std::path::Path) {
    let store = Store::open(&disk.join("store")).unwrap();
    let before = files_of(&store);
    let archive = archive_of(&[layer(&[File::Data("big", &vec![1; 4 << 20])])]);
    let error = load(&store, archive.as_slice(), &LoadOptions::default(), &mut silent()).unwrap_err();
    let LoadError::File(error) = error else { panic!("{error:?}") };
    assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(files_of(&store), before);
}
