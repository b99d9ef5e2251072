//! What a process inside may do.

use oci_tests::{Bundle, Runtime};
use serde_json::json;

/// The capabilities that a container is to have, as a number.
const DOCKERS: u64 = 0xa804_25fb;

fn sets(status: &str) -> Vec<(String, u64)> {
    let lines = status.lines().filter_map(|line| line.split_once(":\t"));
    let sets = lines.filter(|(name, _)| name.starts_with("Cap"));
    sets.map(|(name, value)| (name.to_owned(), u64::from_str_radix(value.trim(), 16).unwrap())).collect()
}

/// Neither the first program nor one that joins has inheritable or ambient capabilities that the configuration does not list,
/// even if it joins as another user (crun CVE-2022-27650, runc CVE-2022-29162, youki CVE-2025-27612).
#[test]
fn nothing_is_inheritable_or_ambient_unasked() {
    let runtime = Runtime::new();
    let bundle = Bundle::new("exec sleep 100");
    let id = runtime.start(&bundle);
    let joined = runtime.exec(&id, &["cat", "/proc/self/status"]).ok();
    let first = runtime.exec(&id, &["cat", "/proc/1/status"]).ok();
    let user = runtime.call(&["exec", "--user", "1000:1000", &id, "cat", "/proc/self/status"]).ok();
    let asked = runtime.call(&["exec", "--cap", "CAP_NET_ADMIN", &id, "cat", "/proc/self/status"]).ok();
    for (what, text, effective) in [
        ("first", &first, DOCKERS),
        ("joined", &joined, DOCKERS),
        ("user", &user, 0),
        ("asked", &asked, DOCKERS | 1 << 12),
    ] {
        let sets = sets(text);
        let set = |name: &str| sets.iter().find(|set| set.0 == name).unwrap_or_else(|| panic!("{what}: {text}")).1;
        assert_eq!((set("CapInh"), set("CapAmb")), (0, 0), "{what}: {sets:x?}");
        assert_eq!(set("CapEff"), effective, "{what}: {sets:x?}");
        assert_eq!(set("CapBnd"), effective | DOCKERS, "{what}: {sets:x?}");
    }
}

/// Groups of the runtime's own user do not come along.
#[test]
fn supplementary_groups_are_those_of_the_configuration() {
    let runtime = Runtime::new();
    let mut bundle = Bundle::new("id -G");
    assert_eq!(runtime.run(&bundle).ok(), "0\n");
    bundle.config["process"]["user"] = json!({ "uid": 5, "gid": 6, "additionalGids": [7, 8] });
    assert_eq!(runtime.run(&bundle).ok(), "6 7 8\n");
}

/// The files with which a container could make the host's kernel execute a program are not writable.
#[test]
fn the_kernels_helpers_cannot_be_replaced() {
    let runtime = Runtime::new();
    let script = "for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger \
                  /sys/kernel/uevent_helper /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; do \
                  [ -e $f ] && echo x 2>/dev/null >> $f && echo written $f; done; \
                  mount -t cgroup -o memory cgroup /tmp 2>/dev/null && echo mounted; \
                  mount -o remount,rw /proc/sys 2>/dev/null && echo remounted; \
                  umount /proc/sys 2>/dev/null && echo unmounted; mkdir /sys/fs/cgroup/*/new 2>/dev/null && echo made; true";
    let mut bundle = Bundle::new(script);
    bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
    }));
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    assert_eq!(runtime.run(&bundle).ok(), "");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
}

/// Notes every program, root and file of other processes that it can see.
const WATCHER: &str = "while true; do for p in /proc/[0-9]*; do \
         e=$(readlink $p/exe) && case $e in */busybox) ;; *) echo \"exe $e\" >> /seen ;; esac; \
         r=$(readlink $p/root) && [ \"$r\" != / ] && echo \"root $r\" >> /seen; \
         for f in $p/fd/*; do t=$(readlink $f) && case $t in pipe:*|socket:*|/dev/null|/proc/*|/dev/pts/*|*.log) ;; \
         *) echo \"fd $t\" >> /seen ;; esac; done; done; done 2>/dev/null";

/// While a process joins, it still holds the runtime's descriptors and memory. A program inside that watches all processes gets at
/// none of them (runc CVE-2016-9962).
#[test]
fn a_joining_process_shows_nothing() {
    let runtime = Runtime::new();
    let bundle = Bundle::new(WATCHER);
    let id = runtime.start(&bundle);
    for _ in 0..60 {
        runtime.exec(&id, &["true"]).ok();
    }
    let seen = std::fs::read_to_string(bundle.inside("seen")).unwrap_or_default();
    assert_eq!(seen, "", "a program inside has seen the runtime");
}

/// In a user namespace root is nobody on the host: it reads no file of the host's root, and what it makes is not root's.
#[test]
fn root_of_a_user_namespace_is_nobody_on_the_host() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let runtime = Runtime::new();
    let mut bundle = Bundle::new(
        "id -u; cat /volume/private 2>/dev/null; touch /volume/open/made; chmod 4755 /volume/open/made; \
         chown 0:0 /volume/private 2>/dev/null || echo refused; mknod /volume/open/disk b 8 0 2>/dev/null || echo refused; \
         cat /proc/self/uid_map | tr -s ' '; (echo core > /proc/sys/kernel/core_pattern) 2>/dev/null && echo open; true",
    );
    let volume = bundle.path().join("volume");
    std::fs::create_dir_all(volume.join("open")).unwrap();
    std::fs::set_permissions(bundle.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(volume.join("open"), PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(volume.join("private"), "the host's own").unwrap();
    std::fs::set_permissions(volume.join("private"), PermissionsExt::from_mode(0o600)).unwrap();
    chown(bundle.inside("/"), Some(100_000), Some(100_000)).unwrap();
    bundle.bind(&volume, "/volume");
    let mapping = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    bundle.config["linux"]["uidMappings"] = mapping.clone();
    bundle.config["linux"]["gidMappings"] = mapping;
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    let text = runtime.run(&bundle).ok();
    assert_eq!(text, "0\nrefused\nrefused\n 0 100000 65536\n");
    assert_eq!(std::fs::metadata(volume.join("open/made")).unwrap().uid(), 100_000);
}

/// The first process of a container that shares another's process namespace, as in a pod, shows the other nothing either.
#[test]
fn a_container_of_a_pod_shows_nothing_while_it_starts() {
    let runtime = Runtime::new();
    let watching = Bundle::new(WATCHER);
    let id = runtime.start(&watching);
    let state: serde_json::Value = serde_json::from_str(&runtime.call(&["state", &id]).ok()).unwrap();
    let mut bundle = Bundle::new("true");
    bundle.config["linux"]["namespaces"][0] =
        json!({ "type": "pid", "path": format!("/proc/{}/ns/pid", state["pid"]) });
    for _ in 0..60 {
        runtime.run(&bundle).ok();
    }
    let seen = std::fs::read_to_string(watching.inside("seen")).unwrap_or_default();
    assert_eq!(seen, "", "the other container has seen the runtime");
}
