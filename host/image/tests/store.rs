//! The store itself: finding, removing, checking, repairing, and several processes at once.

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::*;
use image::{
    FixError, Image, LoadOptions, PackRequest, Problem, Reference, Store, StoreError, load, pack, resolve_user, save,
};

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

/// Adds a small image under a name.
fn add(store: &Store, name: &str, data: &[u8]) -> Image {
    let archive = archive_of(&[layer(&[
        File::Data("f", data),
        File::Data("etc/passwd", b"root:x:0:0::/:\nredis:x:999:998::/:\n"),
        File::Data("etc/group", b"redis:x:998:\nlog:x:4:redis\n"),
    ])]);
    let options = LoadOptions { name: Some(reference(name)), ..LoadOptions::default() };
    load(store, archive.as_slice(), &options, &mut silent()).unwrap().remove(0)
}

#[test]
fn images_are_found_by_name_and_digest() {
    let (_dir, store) = new_store();
    let image = add(&store, "a:1", b"1");
    add(&store, "b", b"2");
    for text in ["a:1", "docker.io/library/a:1", &image.digest.to_string(), &format!("a@{}", image.digest)] {
        assert_eq!(store.resolve(&reference(text)).unwrap().digest, image.digest, "{text}");
    }
    let hex = image.digest.hex();
    for text in [&hex[..12], &format!("sha256:{}", &hex[..12])] {
        assert_eq!(store.resolve(&reference(text)).unwrap().digest, image.digest, "{text}");
    }
    for text in ["a", "c", "ffff", &format!("b@{}", image.digest).replace("b@", "b:2@")] {
        assert!(matches!(store.resolve(&reference(text)), Err(StoreError::NotFound { .. })), "{text}");
    }
    let names: Vec<String> = store.list().unwrap().iter().map(|i| i.reference.as_ref().unwrap().to_string()).collect();
    assert_eq!(names, ["a:1", "b:latest"]);
}

#[test]
fn the_last_name_takes_the_image_along() {
    let (_dir, store) = new_store();
    let empty = files_of(&store);
    let image = add(&store, "a", b"1");
    add(&store, "b", b"1");
    let removed = store.remove(&reference("a")).unwrap();
    assert_eq!((removed.untagged, removed.deleted), (vec!["a:latest".to_owned()], None));
    assert_eq!(store.resolve(&reference("b")).unwrap().digest, image.digest);
    assert_eq!(store.remove(&reference("b")).unwrap().deleted, Some(image.digest));
    assert_eq!(files_of(&store), empty);
    assert!(matches!(store.remove(&reference("b")), Err(StoreError::NotFound { .. })));
    add(&store, "a", b"1");
    add(&store, "b", b"1");
    assert_eq!(store.remove(&Reference::from_digest(image.digest)).unwrap().untagged.len(), 2);
    assert_eq!(files_of(&store), empty);
}

#[test]
fn a_name_that_moves_on_leaves_the_old_image_for_its_instances() {
    let (_dir, store) = new_store();
    let old = add(&store, "a", b"1");
    let new = add(&store, "a", b"2");
    assert_eq!(store.resolve(&reference("a")).unwrap().digest, new.digest);
    assert!(old.erofs.exists());
    assert_eq!(store.list().unwrap().iter().filter(|image| image.reference.is_none()).count(), 1);
    assert_eq!(store.remove(&Reference::from_digest(old.digest)).unwrap().deleted, Some(old.digest));
    assert!(!old.erofs.exists());
    assert_eq!(store.check().unwrap(), []);
}

#[test]
fn shared_blobs_stay() {
    let (_dir, store) = new_store();
    let shared = layer(&[File::Data("shared", b"x")]);
    let archive = archive_of(std::slice::from_ref(&shared));
    load(&store, archive.as_slice(), &LoadOptions::default(), &mut silent()).unwrap();
    let both = archive_of(&[shared, layer(&[File::Data("more", b"y")])]);
    let options = LoadOptions { name: Some(reference("both")), ..LoadOptions::default() };
    load(&store, both.as_slice(), &options, &mut silent()).unwrap();
    store.remove(&reference("test")).unwrap();
    assert_eq!(store.check().unwrap(), []);
}

#[test]
fn damage_is_found_and_what_can_be_is_repaired() {
    let (_dir, store) = new_store();
    let image = add(&store, "a", b"1");
    let erofs = std::fs::read(&image.erofs).unwrap();
    let blob = |hex: String| store.dir().join("blobs/sha256").join(hex);

    let orphans = [store.dir().join("blobs/sha256/orphan"), store.dir().join("erofs/orphan.erofs")];
    orphans.iter().for_each(|path| std::fs::write(path, "x").unwrap());
    let leftover = store.dir().join("tmp/1-dead");
    std::fs::create_dir(&leftover).unwrap();
    std::fs::remove_file(&image.erofs).unwrap();
    assert!(matches!(store.resolve(&reference("a")), Err(StoreError::MissingFileSystem { .. })));
    let problems = store.check().unwrap();
    assert_eq!(problems.len(), 4);
    problems.iter().for_each(|problem| store.fix(problem).unwrap());
    assert_eq!(store.check().unwrap(), []);
    assert!(std::fs::read(&image.erofs).unwrap() == erofs);

    let mut damaged = erofs.clone();
    damaged[1100] ^= 1;
    std::fs::write(&image.erofs, damaged).unwrap();
    assert_eq!(store.check().unwrap(), [Problem::BadFileSystem { image: image.digest }]);
    store.fix(&Problem::BadFileSystem { image: image.digest }).unwrap();

    let layer = image.layers[0].digest;
    std::fs::write(blob(layer.hex()), "wrong").unwrap();
    let problem = Problem::CorruptBlob { image: image.digest, blob: layer };
    assert_eq!(store.check().unwrap(), std::slice::from_ref(&problem));
    assert!(matches!(store.fix(&problem), Err(FixError::Lost(_))));

    std::fs::write(blob(image.config_digest.hex()), "{}").unwrap();
    assert!(matches!(store.resolve(&reference("a")), Err(StoreError::CorruptBlob { .. })));
    std::fs::remove_file(blob(image.digest.hex())).unwrap();
    let error = store.resolve(&reference("a")).unwrap_err();
    assert!(matches!(error, StoreError::MissingBlob { .. }) && error.to_string().contains("coracle image rm"));
    assert!(!store.list().unwrap()[0].intact);
    store.remove(&reference("a")).unwrap();
    assert_eq!(files_of(&store).len(), 5);

    std::fs::write(store.dir().join("index.json"), "{").unwrap();
    assert!(matches!(store.list(), Err(StoreError::Index { .. })));
}

#[test]
fn users_are_those_of_the_image() {
    let (_dir, store) = new_store();
    let image = add(&store, "a", b"1");
    let user = resolve_user(&image.erofs, "redis").unwrap();
    assert_eq!((user.uid, user.gid, user.additional_gids), (999, 998, vec![4]));
    assert_eq!(resolve_user(&image.erofs, "5:6").unwrap().gid, 6);
    assert!(resolve_user(&image.erofs, "www-data").is_err());
}

#[test]
fn saved_archives_are_read_here_and_elsewhere() {
    let (dir, store) = new_store();
    let request = PackRequest::new(reference("busybox:1"), "/bin/busybox");
    let image = pack(&store, &request, &mut silent()).unwrap().image;
    let path = dir.path().join("image.tar");
    save(&store, &reference("busybox:1"), &mut std::fs::File::create(&path).unwrap()).unwrap();
    let inspected = run("skopeo", &["inspect", &format!("oci-archive:{}:busybox:1", path.display())]);
    assert!(inspected.contains(&image.digest.to_string()), "{inspected}");
    let other = Store::open(&dir.path().join("other")).unwrap();
    let archive = std::fs::File::open(&path).unwrap();
    let loaded = load(&other, archive, &LoadOptions::default(), &mut silent()).unwrap().remove(0);
    assert_eq!((loaded.digest, loaded.reference), (image.digest, image.reference));
}

/// Tells an inner run of the next test which image of which store it has to add.
const WORKER: &str = "CORACLE_TEST_WORKER";

#[test]
fn several_processes_at_once() {
    if let Some(task) = std::env::var_os(WORKER) {
        let task = task.into_string().unwrap();
        let (number, dir) = task.split_once(':').unwrap();
        let store = Store::open(&PathBuf::from(dir)).unwrap();
        for round in 0..5 {
            add(&store, &format!("image{number}"), format!("{number} {round}").as_bytes());
            add(&store, "all", number.as_bytes());
            assert!(store.resolve(&reference("all")).is_ok());
            assert!(!store.check().unwrap().iter().any(|problem| matches!(problem, Problem::Leftover(_))));
        }
        return;
    }
    let (_dir, store) = new_store();
    let exe = std::env::current_exe().unwrap();
    let worker = |number: u32| {
        let task = format!("{number}:{}", store.dir().display());
        Command::new(&exe).args(["--exact", "several_processes_at_once"]).env(WORKER, task).spawn().unwrap()
    };
    let mut workers: Vec<_> = (0..4).map(worker).collect();
    for worker in &mut workers {
        assert!(worker.wait().unwrap().success());
    }
    assert_eq!(store.check().unwrap(), []);
    for number in 0..4 {
        assert!(store.resolve(&reference(&format!("image{number}"))).is_ok());
    }
}

#[test]
fn a_killed_process_leaves_what_check_finds() {
    if let Some(dir) = std::env::var_os(WORKER) {
        let store = Store::open(&PathBuf::from(dir)).unwrap();
        // A source that never ends: the process is killed in the middle.
        let mut header = tar::Header::new_gnu();
        header.set_path("blobs/x").unwrap();
        header.set_size(1 << 30);
        header.set_cksum();
        let endless = std::io::Read::chain(&header.as_bytes()[..], std::io::repeat(0));
        let mut announce = |_| {};
        let slow = Slow(endless);
        let _ = load(&store, slow, &LoadOptions::default(), &mut announce);
        return;
    }
    let (_dir, store) = new_store();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_leaves_what_check_finds"])
        .env(WORKER, store.dir())
        .spawn()
        .unwrap();
    let staging = || std::fs::read_dir(store.dir().join("tmp")).unwrap().count();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while staging() == 0 && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(store.check().unwrap(), [], "work in progress is no problem");
    child.kill().unwrap();
    child.wait().unwrap();
    let problems = store.check().unwrap();
    assert!(matches!(problems[..], [Problem::Leftover(_)]), "{problems:?}");
    problems.iter().for_each(|problem| store.fix(problem).unwrap());
    assert_eq!((store.check().unwrap(), staging()), (vec![], 0));
}

struct Slow<R>(R);

impl<R: std::io::Read> std::io::Read for Slow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(std::time::Duration::from_millis(10));
        self.0.read(buffer)
    }
}
