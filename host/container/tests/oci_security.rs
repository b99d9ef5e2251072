//! Images, volumes and callers that try to reach the host: the shapes of past vulnerabilities of container runtimes.

mod bundle;

use std::os::unix::fs::symlink;
use std::process::Stdio;

use bundle::Bundle;
use serde_json::{Value, json};

fn add_mount(bundle: &mut Bundle, mount: Value) {
    bundle.config["mounts"].as_array_mut().unwrap().push(mount);
}

fn host_directory() -> tempfile::TempDir {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "of the host").unwrap();
    outside
}

fn entries(directory: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(directory.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// CVE-2019-19921, CVE-2023-27561, CVE-2025-31133: /proc, /sys or /dev is a link.
#[test]
fn linked_kernel_directories_are_refused_or_stay_inside() {
    for name in ["proc", "dev", "sys"] {
        let outside = host_directory();
        let mut bundle = Bundle::script("true");
        add_mount(&mut bundle, json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] }));
        std::fs::remove_dir(bundle.inside(name)).unwrap();
        symlink(outside.path(), bundle.inside(name)).unwrap();
        let output = bundle.run();
        assert_eq!(entries(&outside), ["file"], "/{name} led outside");
        // /dev may be a link inside the root; what the kernel speaks through may not.
        if name != "dev" {
            assert_eq!(output.status.code(), Some(125), "/{name}");
        }
    }
}

/// CVE-2021-30465 and CVE-2017-1002101: mount points that lead outside, also by `..` and by links in between.
#[test]
fn mount_points_stay_inside() {
    let outside = host_directory();
    let mut bundle = Bundle::script("cat /up/deep/file /etc/hosts");
    symlink(outside.path(), bundle.inside("up")).unwrap();
    symlink("/../../../../../../etc/passwd", bundle.inside("etc/hosts")).unwrap();
    std::fs::write(bundle.directory.path().join("source"), "bound\n").unwrap();
    let source = bundle.directory.path().join("source");
    for place in ["/up/deep/file", "/etc/hosts"] {
        add_mount(&mut bundle, json!({ "destination": place, "source": source, "options": ["bind"] }));
    }
    let before = std::fs::read("/etc/passwd").unwrap();
    assert_eq!(bundle.stdout(), "bound\nbound\n");
    assert_eq!(entries(&outside), ["file"], "a mount point was made outside");
    assert_eq!(std::fs::read("/etc/passwd").unwrap(), before);
}

/// CVE-2021-30465: somebody exchanges a directory of a shared volume for a link while mounts are made.
#[test]
fn a_racing_volume() {
    let outside = host_directory();
    let mut bundle = Bundle::script("true");
    let volume = bundle.directory.path().join("volume");
    std::fs::create_dir_all(volume.join("a")).unwrap();
    symlink(outside.path(), volume.join("b")).unwrap();
    add_mount(&mut bundle, json!({ "destination": "/volume", "source": volume, "options": ["rbind"] }));
    for name in ["x", "y"] {
        let place = format!("/volume/a/{name}");
        add_mount(&mut bundle, json!({ "destination": place, "type": "tmpfs", "source": "tmpfs", "options": [] }));
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (volume.join("a"), volume.join("b"));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                let _ = rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, exchange);
            }
        });
        for _ in 0..30 {
            // Some attempts fail, which is fine; none leads outside.
            let _ = bundle.run();
            assert_eq!(entries(&outside), ["file"], "a mount point was made outside");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// CVE-2019-16884: a volume over /proc makes writes to attributes go elsewhere.
#[test]
fn nothing_covers_proc() {
    for (place, fine) in [
        ("/proc", false),
        ("/proc/self", false),
        ("/proc/self/attr", false),
        ("/proc/sys", false),
        ("/proc/uptime", true),
    ] {
        let mut bundle = Bundle::script("cat /proc/uptime");
        let source = bundle.directory.path().join(if fine { "file" } else { "directory" });
        match fine {
            true => std::fs::write(&source, "covered\n").unwrap(),
            false => std::fs::create_dir(&source).unwrap(),
        }
        add_mount(&mut bundle, json!({ "destination": place, "source": source, "options": ["bind"] }));
        match fine {
            true => assert_eq!(bundle.stdout(), "covered\n"),
            false => assert!(bundle.fails(125).contains(place)),
        }
    }
    let mut bundle = Bundle::script("true");
    add_mount(&mut bundle, json!({ "destination": "/proc/acpi", "type": "tmpfs", "source": "tmpfs", "options": [] }));
    bundle.fails(125);
}

/// CVE-2025-31133: /dev/null of the image is something else when it is bound over a masked path.
#[test]
fn a_false_null_hides_nothing() {
    let mut bundle = Bundle::script("cat /secret");
    let dev = bundle.directory.path().join("dev");
    std::fs::create_dir(&dev).unwrap();
    symlink("/etc/passwd", dev.join("null")).unwrap();
    std::fs::write(bundle.inside("secret"), "secret").unwrap();
    bundle.config["mounts"]
        .as_array_mut()
        .unwrap()
        .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    add_mount(&mut bundle, json!({ "destination": "/dev", "source": dev, "options": ["bind"] }));
    bundle.config["linux"]["maskedPaths"] = json!(["/secret"]);
    let errors = bundle.fails(125);
    assert!(errors.contains("protect") && errors.contains("/secret"), "{errors}");
}

/// Files in the way of devices give way; what was there is not used as a device.
#[test]
fn files_in_the_way_of_devices() {
    let mut bundle = Bundle::script("echo text > /dev/null; head -c4 /dev/zero | wc -c; readlink /dev/ptmx");
    bundle.config["mounts"]
        .as_array_mut()
        .unwrap()
        .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    let outside = host_directory();
    std::fs::write(bundle.inside("dev/null"), "a file").unwrap();
    symlink(outside.path().join("file"), bundle.inside("dev/zero")).unwrap();
    std::fs::write(bundle.inside("dev/ptmx"), "").unwrap();
    assert_eq!(bundle.stdout(), "4\npts/ptmx\n");
    assert_eq!(std::fs::read_to_string(outside.path().join("file")).unwrap(), "of the host");
}

/// CVE-2019-5736: the runtime's own file through /proc/self/exe, by a program that is a link to it and by another process.
#[test]
fn the_runtime_is_not_reached() {
    let bundle = Bundle::new(&["/proc/self/exe"]);
    let output = bundle.run();
    assert!([Some(125), Some(126)].contains(&output.status.code()), "{output:?}");
    let script = Bundle::script("sleep 100");
    let status = script.command(&["create"]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
    // The first process waits; its file is the runtime.
    let output = script.exec(&["sh", "-c", "readlink /proc/1/exe || echo hidden"], json!({}));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hidden\n", "{output:?}");
}

/// CVE-2024-21626: a descriptor of the host as working directory.
#[test]
fn no_descriptor_of_the_host_leaks() {
    let mut bundle = Bundle::script(
        "ls /proc/self/fd | wc -l; ls -l /proc/self/fd | grep -v '/proc\\|pipe\\|null' | grep -c '/' ; true",
    );
    let text = bundle.stdout();
    // 0, 1, 2 and the one that reads the directory.
    assert_eq!(text.lines().next(), Some("4"), "{text}");
    for number in 3..20 {
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let output = bundle.run();
        assert!(!output.status.success(), "descriptor {number} is a working directory");
    }
}

/// The root itself: outside of the bundle by `..` or by a link.
#[test]
fn the_root_stays_in_the_bundle() {
    let outside = host_directory();
    let mut bundle = Bundle::script("true");
    bundle.config["root"]["path"] = json!("../../../../etc");
    assert!(bundle.fails(125).contains("root file system"));
    symlink(outside.path(), bundle.directory.path().join("link")).unwrap();
    bundle.config["root"]["path"] = json!("link");
    bundle.fails(125);
    bundle.config["root"]["path"] = json!("no-such-directory");
    assert!(bundle.fails(125).contains("no-such-directory"));
    bundle.config["root"]["path"] = json!(bundle.directory.path().join("rootfs"));
    bundle.stdout();
}
