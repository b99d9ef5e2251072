//! The root file system, the kernel's file systems, and what the host shares.

mod common;

use common::{Fixture, volume};
use std::os::unix::fs::symlink;

#[test]
fn the_root_is_writable_and_private() {
    let fixture = Fixture::new(&["sh", "-c", "echo new > /file; echo more >> /bin/added; cat /file"]);
    assert_eq!(fixture.stdout(), "new\n");
    assert!(fixture.state("upper/file").exists(), "writes go to the instance's own layer");
    // Again, on what the first run has left.
    assert_eq!(fixture.stdout(), "new\n");
}

#[test]
fn a_layer_that_is_kept_is_found_again() {
    let mut fixture = Fixture::new(&["sh", "-c", "cat /file; echo line >> /file"]);
    fixture.plan.auto_remove = false;
    fixture.run();
    assert_eq!(fixture.stdout(), "line\n");
}

#[test]
fn a_read_only_root_refuses_writes() {
    // The image lacks /proc, /dev and /sys: they are made in memory. With all of them it is used as it is.
    for places in [&[][..], &["proc", "dev", "sys"]] {
        let mut fixture = Fixture::with_image(&["touch", "/file"], |image| {
            places.iter().for_each(|place| std::fs::create_dir(image.join(place)).unwrap());
        });
        fixture.plan.rootfs.read_only = true;
        assert!(fixture.fails(1).contains("Read-only file system"));
        fixture.plan.process.args =
            ["sh", "-c", "touch /dev/shm/x && head -c 0 /proc/1/stat"].map(String::from).to_vec();
        fixture.stdout();
    }
}

#[test]
fn devices() {
    let script = "cd /dev; ls; echo x > null; head -c 3 zero | wc -c; head -c 3 urandom | wc -c; \
                  mknod /mem c 1 1 && ! head -c 1 /mem 2> null && mknod /disk b 254 0 && ! head -c 1 /disk 2> null && echo closed";
    let names = "core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n";
    assert_eq!(Fixture::new(&["sh", "-c", script]).stdout(), format!("{names}3\n3\nclosed\n"));
}

#[test]
fn an_image_cannot_bring_usable_devices() {
    let fixture = Fixture::with_image(&["head", "-c", "1", "/disk"], |image| {
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        let kind = rustix::fs::FileType::BlockDevice;
        rustix::fs::mknodat(rustix::fs::CWD, image.join("disk"), kind, mode, rustix::fs::makedev(254, 0)).unwrap();
    });
    assert!(fixture.fails(1).contains("not permitted"));
}

#[test]
fn protected_paths() {
    let script = "for f in kcore keys timer_list; do [ -e /proc/$f ] && head -c 1 /proc/$f | wc -c; done | sort -u; \
                  ls /sys/firmware /proc/acpi 2> /dev/null | grep -v : | wc -w; \
                  for f in /proc/sys/kernel/domainname /proc/sysrq-trigger /sys/kernel/x; do (echo 0 > $f) 2> /dev/null && echo $f is open; done; true";
    let fixture = Fixture::new(&["sh", "-c", &script.replace("sort -u", "cat")]);
    let output = fixture.stdout();
    assert!(!output.contains("open") && output.lines().all(|line| line == "0"), "{output}");
}

#[test]
fn its_own_network_has_loopback_only() {
    let fixture = Fixture::new(&["sh", "-c", "ls /sys/class/net; ip addr show lo | grep -o 'inet 127.0.0.1/8'"]);
    assert_eq!(fixture.stdout(), "lo\ninet 127.0.0.1/8\n");
}

#[test]
fn network_files() {
    let fixture = Fixture::with_image(&["sh", "-c", "cat /etc/hosts /etc/resolv.conf; ls /elsewhere"], |image| {
        std::fs::create_dir_all(image.join("etc")).unwrap();
        std::fs::create_dir(image.join("elsewhere")).unwrap();
        symlink("/../../elsewhere/hosts", image.join("etc/hosts")).unwrap();
    });
    std::fs::write(fixture.state("hosts"), "our hosts\n").unwrap();
    std::fs::write(fixture.state("resolv.conf"), "our resolver\n").unwrap();
    let host = std::fs::read("/etc/hosts").unwrap();
    let output = fixture.run();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("our hosts\nour resolver\n"), "{output:?}");
    assert_eq!(std::fs::read("/etc/hosts").unwrap(), host);
}

#[test]
fn volumes() {
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("in"), "from the host").unwrap();
    let file = shared.path().join("in");
    let mut fixture = Fixture::new(&[
        "sh",
        "-c",
        "cat /a/b/in /single; echo out > /a/b/out; (echo no > /ro/x) 2>&1 | grep -o Read-only",
    ]);
    fixture.plan.volumes =
        vec![volume(shared.path(), "/a/b", false), volume(shared.path(), "/ro", true), volume(&file, "/single", true)];
    assert_eq!(fixture.stdout(), "from the hostfrom the hostRead-only\n");
    assert_eq!(std::fs::read_to_string(shared.path().join("out")).unwrap(), "out\n");
    fixture.plan.volumes = vec![volume(&shared.path().join("absent"), "/a", false)];
    let errors = fixture.fails(125);
    assert!(errors.contains("bind a volume") && errors.contains("absent"), "{errors}");
    fixture.plan.volumes = vec![volume(shared.path(), "/proc/sys", false)];
    fixture.fails(125);
}

#[test]
fn links_of_the_image_do_not_lead_outside() {
    let outside = tempfile::tempdir().unwrap();
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("mark"), "").unwrap();
    let target = outside.path().to_owned();
    let mut fixture = Fixture::with_image(&["ls", "/escape/deep"], |image| {
        symlink(&target, image.join("escape")).unwrap();
        symlink("../../../../..", image.join("up")).unwrap();
    });
    fixture.plan.volumes = vec![volume(shared.path(), "/escape/deep", false), volume(shared.path(), "/up/up/x", false)];
    fixture.plan.process.cwd = format!("/up{}", outside.path().display());
    assert_eq!(fixture.stdout(), "mark\n");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "something was made outside of the root");
}

#[test]
fn trusted_places_must_not_be_links() {
    for (place, word) in [("proc", "mount /proc"), ("sys", "mount /sys"), ("dev", "fill /dev")] {
        let fixture = Fixture::with_image(&["true"], |image| symlink("/tmp", image.join(place)).unwrap());
        let errors = fixture.fails(125);
        assert!(errors.contains(word), "{errors}");
    }
}

#[test]
fn a_damaged_image_is_an_error() {
    let fixture = Fixture::new(&["true"]);
    std::fs::write(&fixture.plan.rootfs.erofs, vec![0; 8192]).unwrap();
    assert!(fixture.fails(125).contains("cannot mount the image"));
    std::fs::remove_file(&fixture.plan.rootfs.erofs).unwrap();
    assert!(fixture.fails(125).contains("cannot mount the image"));
}
