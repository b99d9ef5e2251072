use std::os::unix::fs::MetadataExt;

use crate::{Engine, Kind, all_capabilities, runtime};

const NET_ADMIN: u64 = 1 << 12;
const CHOWN: u64 = 1;

fn effective(engine: &Engine, flags: &[&str]) -> u64 {
    let line = engine.run(flags, &["grep", "CapEff", "/proc/self/status"]).ok();
    u64::from_str_radix(line.trim_start_matches("CapEff:").trim(), 16).expect("a set")
}

/// The default set, none, one more, one less; none for a user.
pub fn capabilities(engine: &Engine) {
    let usual = effective(engine, &[]);
    assert!(usual & CHOWN != 0 && usual & NET_ADMIN == 0, "{usual:x}");
    assert_eq!(effective(engine, &["--cap-drop=all"]), 0);
    assert_eq!(effective(engine, &["--cap-drop=all", "--cap-add=NET_ADMIN"]), NET_ADMIN);
    assert_eq!(effective(engine, &["--cap-drop=chown"]), usual & !CHOWN);
    assert_eq!(effective(engine, &["-u", "1000"]), 0);
    engine.assert_clean();
}

/// The engine's default filter, none, and no new privileges.
pub fn seccomp(engine: &Engine) {
    let status = |flags: &[&str], name: &str| {
        let text = engine.run(flags, &["grep", &format!("^{name}:"), "/proc/self/status"]).ok();
        text.rsplit('\t').next().expect("a value").to_owned()
    };
    assert_eq!(status(&[], "Seccomp"), "2");
    assert_eq!(status(&["--security-opt=seccomp=unconfined"], "Seccomp"), "0");
    assert_eq!(status(&["--security-opt=no-new-privileges"], "NoNewPrivs"), "1");
    let profile = engine.cage().dir().join("profile.json");
    let text = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}]}"#;
    std::fs::write(&profile, text).expect("a profile");
    let option = format!("--security-opt=seccomp={}", profile.display());
    let refused = engine.run(&[&option], &["mkdir", "/x"]);
    assert!(refused.code != 0 && refused.err.contains("not supported"), "{refused:?}");
    engine.assert_clean();
}

/// What of procfs and sysfs is hidden or not writable.
pub fn masked_paths(engine: &Engine) {
    assert_eq!(engine.sh(&[], "cat /proc/kcore /proc/keys /proc/timer_list | wc -c").ok(), "0");
    assert_eq!(engine.sh(&[], "ls /sys/firmware /proc/acpi 2>/dev/null | grep -c '^[^/]'").out.trim(), "0");
    assert_ne!(engine.sh(&[], "echo 1 >/proc/sys/kernel/domainname").code, 0);
    assert_ne!(engine.sh(&[], "mount -t tmpfs tmpfs /tmp").code, 0);
    assert_eq!(engine.sh(&[], "echo kept >/dev/null; cat /dev/null").ok(), "");
    engine.assert_clean();
}

/// Everything that the host may do.
pub fn privileged(engine: &Engine) {
    if !all_capabilities() && !runtime().ends_with("coracle-oci") {
        eprintln!("SKIP: --privileged: this host lacks capabilities, and {} refuses then", runtime().display());
        return;
    }
    let set = effective(engine, &["--privileged"]);
    assert!(set & NET_ADMIN != 0, "{set:x}");
    engine
        .sh(
            &["--privileged"],
            "mount -t tmpfs tmpfs /tmp && test -e /dev/kmsg && echo 0 >/proc/sys/net/ipv4/ip_forward",
        )
        .ok();
    assert!(engine.run(&["--privileged"], &["grep", "Seccomp:", "/proc/self/status"]).ok().ends_with('0'));
    engine.detached("one", &["--privileged"], "sleep 100");
    engine.cli(&["exec", "--privileged", "one", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]).ok();
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}

/// Root of the container is nobody on the host.
pub fn user_namespace(engine: &Engine) {
    assert_eq!(engine.kind(), Kind::Podman, "only Podman maps per container");
    let maps = ["--uidmap=0:100000:65536", "--gidmap=0:100000:65536"];
    let text = engine.sh(&maps, "cat /proc/self/uid_map; id -u; touch /file && stat -c %u /file").ok();
    let words: Vec<_> = text.split_whitespace().collect();
    assert_eq!(words, ["0", "100000", "65536", "0", "0"]);
    let dir = engine.directory("shared");
    std::os::unix::fs::chown(&dir, Some(100000), Some(100000)).expect("root may");
    engine.sh(&[&maps[..], &["-v", &format!("{}:/v", dir.display())]].concat(), "touch /v/file").ok();
    assert_eq!(std::fs::metadata(dir.join("file")).expect("it was made").uid(), 100000);
    engine.detached("one", &maps, "sleep 100");
    assert_eq!(engine.cli(&["exec", "one", "id", "-u"]).ok(), "0");
    let map = engine.cli(&["exec", "one", "cat", "/proc/self/uid_map"]).ok();
    assert!(map.contains("100000"), "{map}");
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}
