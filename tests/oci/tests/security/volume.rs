//! Volumes that another container changes while the runtime mounts on them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use oci_tests::{Bundle, Runtime};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::{Canary, SECRET};

const STARTS: usize = 200;

/// Swaps a directory and a link to the host's in a loop, while containers start whose mounts are below the directory (runc
/// CVE-2021-30465, CVE-2024-45310). All that the starts make must be inside the root file system.
#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let mut bundle = Bundle::new("cat /proc/self/mountinfo; cat /volume/*/secret 2>/dev/null; true");
    let volume = bundle.path().join("volume");
    let source = bundle.path().join("source");
    fs::create_dir_all(volume.join("dir")).unwrap();
    fs::create_dir(&source).unwrap();
    symlink(canary.path(), volume.join("link")).unwrap();
    bundle.bind(&volume, "/volume").bind(&source, "/volume/dir/mounted/deep").bind(&source, "/volume/dir/other");
    let file = bundle.path().join("file");
    fs::write(&file, "bound").unwrap();
    bundle.bind(&file, "/volume/dir/file");
    let stop = AtomicBool::new(false);
    let expected = BTreeSet::from(["/volume/dir", "/volume/link", "/volume/dir/mounted", "/volume/dir/file"]);
    thread::scope(|scope| {
        scope.spawn(|| swap([&volume.join("dir"), &volume.join("link")], canary.path(), &stop));
        let started = (0..STARTS).filter(|_| {
            let done = runtime.run(&bundle);
            assert!(!done.stdout.contains(SECRET), "{done:?}");
            for line in done.stdout.lines().filter(|line| line.contains(" - ")) {
                let place = line.split(' ').nth(4).unwrap();
                let known = ["/proc", "/dev", "/sys", "/volume", "/etc"].iter().any(|root| place.starts_with(root));
                assert!(place == "/" || known, "a mount on {place}, expected at most {expected:?}: {done:?}");
            }
            done.status == 0
        });
        let started = started.count();
        stop.store(true, Ordering::Relaxed);
        println!("{started} of {STARTS} containers started");
    });
    canary.assert_untouched();
}

fn swap(both: [&Path; 2], target: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match renameat_with(CWD, both[0], CWD, both[1], RenameFlags::EXCHANGE) {
            // A link that seems to lead nowhere gives way to a place for a mount; the attack goes on with a new one.
            Err(Errno::NOENT) => restore(both, target),
            other => other.unwrap(),
        }
    }
}

fn restore(both: [&Path; 2], target: &Path) {
    let is_link = |path: &&Path| path.is_symlink();
    if both.iter().any(is_link) {
        both.iter().for_each(|path| drop(fs::create_dir(path)));
    } else if let Some(free) = both.into_iter().find(|path| fs::remove_dir(path).is_ok() || !path.exists()) {
        let _ = symlink(target, free);
    }
}

/// The same with the source of a mount below a volume: `rootfs/volume/dir` of one container as another's volume is the
/// engine's to avoid, but a link inside it must not lead a later mount of the same container to the host.
#[test]
fn a_mounted_link_is_followed_inside_only() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let mut bundle = Bundle::new("ls /volume/link/ 2>/dev/null; cat /volume/link/secret 2>/dev/null; true");
    let (volume, source) = (bundle.path().join("volume"), bundle.path().join("source"));
    fs::create_dir(&volume).unwrap();
    fs::create_dir(&source).unwrap();
    symlink(canary.path(), volume.join("link")).unwrap();
    bundle.bind(&volume, "/volume").bind(&source, "/volume/link").bind(&source, "/volume/link/new");
    let done = runtime.run(&bundle);
    assert!(!done.stdout.contains(SECRET), "{done:?}");
    canary.assert_untouched();
}

/// A tmpfs that is first filled with what it covers (`tmpcopyup`) copies links as links.
#[test]
fn copied_links_stay_links() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let mut bundle = Bundle::new("cat /filled/link; cat /filled/file; readlink /filled/link");
    fs::create_dir(bundle.inside("filled")).unwrap();
    fs::write(bundle.inside("filled/file"), "copied\n").unwrap();
    bundle.link("filled/link", &canary.secret());
    bundle.mount(serde_json::json!({
        "destination": "/filled", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"],
    }));
    let done = runtime.run(&bundle);
    assert!(!done.stdout.contains(SECRET), "{done:?}");
    assert!(done.stdout.contains("copied"), "{done:?}");
    canary.assert_untouched();
}
