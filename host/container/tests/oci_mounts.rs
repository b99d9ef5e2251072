//! Mounts of a bundle: what each option does, as the program inside sees it.

mod bundle;

use std::os::unix::fs::{MetadataExt, symlink};

use bundle::Bundle;
use serde_json::{Value, json};

fn add_mount(bundle: &mut Bundle, mount: Value) {
    bundle.config["mounts"].as_array_mut().unwrap().push(mount);
}

/// The line of mountinfo for a place.
fn line<'a>(table: &'a str, place: &str) -> &'a str {
    let line = table.lines().rev().find(|line| line.split(' ').nth(4) == Some(place));
    line.unwrap_or_else(|| panic!("{place} is not mounted:\n{table}"))
}

fn options<'a>(table: &'a str, place: &str) -> &'a str {
    line(table, place).split(' ').nth(5).unwrap()
}

const TABLE: &str = "cat /proc/self/mountinfo";

#[test]
fn attributes_of_new_file_systems() {
    let mut bundle = Bundle::script(TABLE);
    for (place, given) in [
        ("/all", json!(["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow", "size=64k"])),
        ("/none", json!(["rw", "suid", "dev", "exec", "strictatime", "diratime", "symfollow", "defaults", "async"])),
        ("/last", json!(["ro", "rw", "noatime", "relatime", "nosuid", "suid"])),
        ("/sync", json!(["sync", "dirsync", "mand", "lazytime", "mode=700"])),
    ] {
        add_mount(&mut bundle, json!({ "destination": place, "type": "tmpfs", "source": "tmpfs", "options": given }));
    }
    let table = bundle.stdout();
    assert_eq!(options(&table, "/all"), "ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow");
    assert_eq!(options(&table, "/none"), "rw");
    assert_eq!(options(&table, "/last"), "rw,relatime");
    assert!(line(&table, "/sync").contains("rw,sync,dirsync"), "{table}");
    assert!(line(&table, "/all").contains("size=64k"), "{table}");
}

#[test]
fn binds_keep_what_is_not_asked_to_change() {
    let mut bundle = Bundle::script(TABLE);
    let host = bundle.directory.path().join("host");
    std::fs::create_dir(&host).unwrap();
    std::fs::write(host.join("file"), "text").unwrap();
    let host = host.to_str().unwrap().to_owned();
    for (place, source, given) in [
        ("/plain", host.as_str(), json!(["bind"])),
        ("/careful", host.as_str(), json!(["rbind", "ro", "nosuid", "nodev", "noexec", "noatime"])),
        ("/relative", "host", json!(["bind"])),
        ("/file/in/new/place", "host/file", json!(["bind", "ro"])),
    ] {
        add_mount(&mut bundle, json!({ "destination": place, "type": "none", "source": source, "options": given }));
    }
    let table = bundle.stdout();
    assert!(options(&table, "/plain").starts_with("rw"), "{table}");
    assert_eq!(options(&table, "/careful"), "ro,nosuid,nodev,noexec,noatime");
    assert!(line(&table, "/relative").contains("/host "), "{table}");
    assert!(options(&table, "/file/in/new/place").starts_with("ro"), "{table}");
    assert!(bundle.inside("file/in/new/place").is_file());
}

/// `ro` is for one mount, `rro` for all below it.
#[test]
fn recursive_attributes_reach_the_mounts_below() {
    for (option, below_writable) in [("ro", true), ("rro", false)] {
        let mut bundle = Bundle::script(
            "touch /out/new 2>/dev/null && echo top; touch /out/below/new 2>/dev/null && echo below; true",
        );
        // A container's own tree with a mount in it, bound by a second mount.
        let host = bundle.directory.path().join("host");
        std::fs::create_dir_all(host.join("below")).unwrap();
        let script = format!("mount -t tmpfs tmpfs {0}/below && exec \"$@\"", host.to_str().unwrap());
        add_mount(
            &mut bundle,
            json!({ "destination": "/out", "type": "bind", "source": host, "options": ["rbind", option] }),
        );
        let supervisor = bundle.command(&["run"]);
        // The tmpfs is in a mount namespace that goes with the supervisor.
        let mut outer = std::process::Command::new("unshare");
        outer.args(["--mount", "sh", "-c", &script, "sh"]).arg(supervisor.get_program()).args(supervisor.get_args());
        let text = bundle::stdout_of(outer.output().unwrap());
        assert_eq!(text, if below_writable { "below\n" } else { "" }, "{option}");
    }
}

#[test]
fn propagation() {
    let mut bundle = Bundle::script(TABLE);
    for (place, option) in
        [("/private", "rprivate"), ("/shared", "rshared"), ("/slave", "rslave"), ("/unbindable", "unbindable")]
    {
        let given = json!(["size=64k", option]);
        add_mount(&mut bundle, json!({ "destination": place, "type": "tmpfs", "source": "tmpfs", "options": given }));
    }
    bundle.config["linux"]["rootfsPropagation"] = json!("shared");
    let table = bundle.stdout();
    assert!(!line(&table, "/private").contains("shared:"));
    assert!(line(&table, "/shared").contains("shared:"));
    assert!(line(&table, "/unbindable").contains("unbindable"));
    assert!(line(&table, "/").contains("shared:"), "{table}");
}

#[test]
fn copy_up_fills_the_new_file_system() {
    let mut bundle = Bundle::script("cat /etc/deep/name; readlink /etc/link; touch /etc/new; stat -c %a /etc/deep");
    std::fs::create_dir(bundle.inside("etc/deep")).unwrap();
    std::fs::write(bundle.inside("etc/deep/name"), "from the image\n").unwrap();
    symlink("deep/name", bundle.inside("etc/link")).unwrap();
    let given = json!(["tmpcopyup", "mode=755"]);
    add_mount(&mut bundle, json!({ "destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": given }));
    assert_eq!(bundle.stdout(), "from the image\ndeep/name\n755\n");
    assert!(!bundle.inside("etc/new").exists());
}

#[test]
fn links_as_sources_and_destinations() {
    let mut bundle = Bundle::script("readlink /copied; ls -l /itself | cut -c1; cat /followed");
    std::fs::write(bundle.directory.path().join("target"), "target\n").unwrap();
    symlink("target", bundle.directory.path().join("link")).unwrap();
    for (place, given) in [
        ("/copied", json!(["bind", "copy-symlink"])),
        ("/followed", json!(["bind"])),
        ("/itself", json!(["bind", "src-nofollow"])),
    ] {
        add_mount(&mut bundle, json!({ "destination": place, "source": "link", "options": given }));
    }
    assert_eq!(bundle.stdout(), "target\nl\ntarget\n");
    let mut bundle = Bundle::script("true");
    symlink("/etc", bundle.inside("link")).unwrap();
    let refused = json!({ "destination": "/link", "type": "tmpfs", "source": "tmpfs", "options": ["dest-nofollow"] });
    add_mount(&mut bundle, refused);
    assert!(bundle.fails(125).contains("could not mount (/link)"));
    bundle.config["mounts"].as_array_mut().unwrap().last_mut().unwrap()["options"] = json!([]);
    bundle.stdout();
}

#[test]
fn owners_are_mapped() {
    let mut bundle = Bundle::script("stat -c %u:%g /mapped/file; touch /mapped/new");
    let host = bundle.directory.path().join("host");
    std::fs::create_dir(&host).unwrap();
    std::fs::write(host.join("file"), "").unwrap();
    std::os::unix::fs::chown(host.join("file"), Some(1000), Some(1001)).unwrap();
    std::os::unix::fs::chown(&host, Some(1000), Some(1001)).unwrap();
    let uids = json!([{ "containerID": 1000, "hostID": 0, "size": 1 }]);
    let gids = json!([{ "containerID": 1001, "hostID": 0, "size": 1 }]);
    let mount = json!({ "destination": "/mapped", "source": host, "options": ["bind"], "uidMappings": uids, "gidMappings": gids });
    add_mount(&mut bundle, mount);
    assert_eq!(bundle.stdout(), "0:0\n");
    let made = std::fs::metadata(host.join("new")).unwrap();
    assert_eq!((made.uid(), made.gid()), (1000, 1001));
}

#[test]
fn what_is_mounted_can_be_changed() {
    let mut bundle = Bundle::script(TABLE);
    for given in [json!(["size=64k"]), json!(["remount", "size=128k", "ro", "noexec"])] {
        add_mount(
            &mut bundle,
            json!({ "destination": "/again", "type": "tmpfs", "source": "tmpfs", "options": given }),
        );
    }
    let host = bundle.directory.path().to_owned();
    add_mount(&mut bundle, json!({ "destination": "/bound", "source": host, "options": ["bind"] }));
    add_mount(
        &mut bundle,
        json!({ "destination": "/bound", "source": host, "options": ["bind", "remount", "ro", "nodev"] }),
    );
    let table = bundle.stdout();
    assert_eq!(options(&table, "/again"), "ro,noexec,relatime");
    assert!(line(&table, "/again").contains("size=128k"), "{table}");
    assert_eq!(options(&table, "/bound"), "ro,nodev,relatime");
}

#[test]
fn protected_paths() {
    let mut bundle = Bundle::script(
        "cat /secret; ls -A /hidden; touch /frozen/new 2>&1; cat /proc/keys; touch /open/new && echo open; \
         touch /hidden/new 2>&1; echo x > /proc/sys/kernel/hostname",
    );
    for directory in ["hidden", "frozen", "open"] {
        std::fs::create_dir(bundle.inside(directory)).unwrap();
        std::fs::write(bundle.inside(directory).join("file"), "content").unwrap();
    }
    std::fs::write(bundle.inside("secret"), "secret").unwrap();
    symlink("/hidden", bundle.inside("link")).unwrap();
    bundle.config["linux"]["maskedPaths"] = json!(["/secret", "/link", "/proc/keys", "/not/there", "/proc/nothing"]);
    bundle.config["linux"]["readonlyPaths"] = json!(["/frozen", "/proc/sys", "/not/there"]);
    let output = bundle.run();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "touch: /frozen/new: Read-only file system\nopen\ntouch: /hidden/new: Read-only file system\n");
    assert!(!output.status.success(), "a kernel parameter was written");
}

#[test]
fn a_read_only_root() {
    let mut bundle = Bundle::script("touch /new 2>&1; touch /volume/new && echo volume");
    bundle.config["root"]["readonly"] = json!(true);
    let host = bundle.directory.path().join("host");
    std::fs::create_dir(&host).unwrap();
    add_mount(&mut bundle, json!({ "destination": "/volume", "source": host, "options": ["bind"] }));
    assert_eq!(bundle.stdout(), "touch: /new: Read-only file system\nvolume\n");
}

#[test]
fn kernel_file_systems() {
    let mut bundle = Bundle::script(TABLE);
    for (place, kind, given) in [
        ("/sys", "sysfs", json!(["nosuid", "noexec", "nodev", "ro"])),
        ("/dev/mqueue", "mqueue", json!(["nosuid", "noexec", "nodev"])),
        ("/dev/shm", "tmpfs", json!(["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"])),
        ("/sys/fs/cgroup", "cgroup", json!(["nosuid", "noexec", "nodev", "relatime", "ro"])),
    ] {
        add_mount(&mut bundle, json!({ "destination": place, "type": kind, "source": kind, "options": given }));
    }
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "cgroup" }));
    let table = bundle.stdout();
    assert_eq!(options(&table, "/sys"), "ro,nosuid,nodev,noexec,relatime");
    assert_eq!(options(&table, "/sys/fs/cgroup"), "ro,nosuid,nodev,noexec,relatime");
    for place in ["/dev/mqueue", "/dev/shm"] {
        assert_eq!(options(&table, place), "rw,nosuid,nodev,noexec,relatime");
    }
}
