//! Images whose files are symbolic links to the host's.

use std::fs;

use oci_tests::{Bundle, Runtime};
use serde_json::json;

use crate::{Canary, SECRET};

/// Links in place of what a runtime makes, mounts on or opens (runc CVE-2019-19921, CVE-2023-27561, CVE-2023-28642; youki
/// CVE-2025-54867; runc 1.1.5 makes links in the host's directory if /dev is one). An absolute target means a path of the image. The container starts with it, or is refused.
#[test]
fn links_in_place_of_mount_points_lead_nowhere() {
    let runtime = Runtime::new();
    for path in ["dev", "proc", "sys", "etc", "tmp"] {
        let canary = Canary::new();
        let mut bundle = Bundle::new("cat /dev/../secret /secret 2>/dev/null; mount; true");
        bundle.link(path, canary.path());
        let volume = bundle.path().join("volume");
        fs::create_dir(&volume).unwrap();
        bundle.bind(&volume, "/etc/volume").bind(&volume, "/tmp/volume/deep");
        let done = runtime.run(&bundle);
        assert!(!done.stdout.contains(SECRET), "/{path}: {done:?}");
        assert!(!done.stdout.contains(canary.path().to_str().unwrap()) || done.status == 0, "/{path}: {done:?}");
        canary.assert_untouched();
    }
}

/// The same below /dev, when /dev is the image's own directory and not a tmpfs.
#[test]
fn links_in_place_of_devices_lead_nowhere() {
    let runtime = Runtime::new();
    let devices =
        ["null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue", "fd", "stdin"];
    for device in devices {
        for existing in [true, false] {
            let canary = Canary::new();
            let mut bundle = Bundle::new("cat /dev/*/secret 2>/dev/null; true");
            let target = if existing { canary.secret() } else { canary.path().join("new") };
            bundle.without_mount("/dev").link(&format!("dev/{device}"), &target);
            let done = runtime.run(&bundle);
            assert!(!done.stdout.contains(SECRET), "/dev/{device}: {done:?}");
            canary.assert_untouched();
            let kind = fs::symlink_metadata(canary.secret()).unwrap().file_type();
            assert!(kind.is_file(), "/dev/{device} has replaced a file of the host");
        }
    }
}

/// Files that engines bind are mounted inside the image, whatever their places are links to (crun CVE-2019-18837).
#[test]
fn links_in_place_of_bound_files_lead_nowhere() {
    let runtime = Runtime::new();
    for path in ["etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/passwd", "etc/group", "etc/mtab"] {
        for target in ["secret", "new"] {
            let canary = Canary::new();
            let mut bundle = Bundle::new("true");
            let source = bundle.path().join("source");
            fs::write(&source, "bound").unwrap();
            bundle.link(path, &canary.path().join(target)).bind(&source, &format!("/{path}"));
            runtime.run(&bundle);
            canary.assert_untouched();
        }
    }
}

/// Links that climb out with `..`, and chains of links.
#[test]
fn links_that_climb_stay_inside() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let climbing = format!("../../../../../../../../../..{}", canary.path().display());
    let mut bundle = Bundle::new("echo started");
    let volume = bundle.path().join("volume");
    fs::create_dir(&volume).unwrap();
    bundle.link("one", "two".as_ref()).link("two", climbing.as_ref());
    bundle.bind(&volume, "/one/mounted").bind(&volume, &format!("/{climbing}/mounted")).bind(&volume, "/one");
    runtime.run(&bundle);
    canary.assert_untouched();
}

/// A masked or read-only path is covered inside the image or not at all.
#[test]
fn masked_links_cover_nothing_of_the_host() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let mut bundle = Bundle::new("echo started");
    bundle.link("masked", &canary.secret()).link("masked-directory", canary.path());
    bundle.config["linux"]["maskedPaths"] = json!(["/masked", "/masked-directory"]);
    bundle.config["linux"]["readonlyPaths"] = json!(["/masked", "/masked-directory"]);
    runtime.run(&bundle);
    canary.assert_untouched();
}

/// A runtime that covers masked paths with the container's /dev/null must see that it is the device: a link to a file of
/// procfs would make that file writable (runc CVE-2025-31133, youki CVE-2025-62161; seen with runc 1.1.5).
#[test]
fn masks_are_the_device_or_nothing() {
    let runtime = Runtime::new();
    let host = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    for through_volume in [false, true] {
        let mut bundle = Bundle::new("cat /masked; cat /proc/kcore | head -c 10; true");
        fs::write(bundle.inside("masked"), "covered").unwrap();
        bundle.config["linux"]["maskedPaths"] = json!(["/masked", "/proc/kcore"]);
        let pattern = "/proc/sys/kernel/core_pattern".as_ref();
        if through_volume {
            let volume = bundle.path().join("dev");
            fs::create_dir(&volume).unwrap();
            std::os::unix::fs::symlink(pattern, volume.join("null")).unwrap();
            bundle.without_mount("/dev").without_mount("/dev/pts").without_mount("/dev/shm").bind(&volume, "/dev");
        } else {
            bundle.without_mount("/dev").link("dev/null", pattern);
        }
        let done = runtime.run(&bundle);
        assert!(!done.stdout.contains(host.trim()), "a file of procfs covers the masked path: {done:?}");
        assert!(!done.stdout.contains("covered") || done.status != 0, "nothing covers the masked path: {done:?}");
    }
}

/// Files that the runtime itself reads may be pipes that nobody writes to, or endless: the start must neither hang nor take the
/// host's memory.
#[test]
fn files_that_are_none_hold_nothing_up() {
    let runtime = Runtime::new();
    for target in ["pipe", "/dev/zero", "/proc/kmsg", "/proc/self/fd/0", "loop"] {
        let mut bundle = Bundle::new("echo $HOME");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            bundle.inside("etc/pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        bundle.link("etc/passwd", target.as_ref()).link("etc/group", target.as_ref()).link("etc/loop", "loop".as_ref());
        assert_eq!(runtime.run(&bundle).ok(), "/\n", "{target}");
    }
    for program in ["/etc/pipe", "/dev/zero", "/etc/loop", "/proc/self/fd/0", "/proc/self/root", "/"] {
        let mut bundle = Bundle::new("");
        bundle.link("etc/loop", "loop".as_ref());
        let pipe = bundle.inside("etc/pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o755);
        rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        bundle.config["process"]["args"] = json!([program]);
        let done = runtime.run(&bundle);
        assert!(done.status > 0 && !done.stderr.contains("panic"), "{program}: {done:?}");
    }
}
