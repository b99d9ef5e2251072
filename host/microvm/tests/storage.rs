//! Volumes, the read-only root, limits.

mod support;

use std::fs;

use plan::Volume;
use support::{case, fixture, run};

#[test]
fn volumes_of_directories_and_files() {
    let Some(fixture) = fixture() else { return };
    let host = tempfile::tempdir().unwrap();
    let (writable, protected, file) = (host.path().join("rw"), host.path().join("ro"), host.path().join("file"));
    fs::create_dir(&writable).unwrap();
    fs::create_dir(&protected).unwrap();
    fs::write(writable.join("seen"), "from the host\n").unwrap();
    fs::write(&file, "single\n").unwrap();
    let script = "cat /data/seen /etc/single; echo from the guest > /data/written; echo more >> /etc/single; \
                  touch /protected/x || echo refused; ls /data; ls -d /volumes";
    let mut case = case(fixture, &["sh", "-c", script]);
    let volume =
        |host: &std::path::Path, guest: &str, read_only| Volume { host: host.into(), guest: guest.into(), read_only };
    case.plan.volumes = vec![
        volume(&writable, "/data", false),
        volume(&protected, "/protected", true),
        volume(&file, "/etc/single", false),
    ];
    let outcome = run(fixture, &case, b"").unwrap();
    assert_eq!(outcome.text(), "from the host\nsingle\nrefused\nseen\nwritten\n", "{outcome:?}");
    assert_eq!(fs::read_to_string(writable.join("written")).unwrap(), "from the guest\n");
    assert_eq!(fs::read_to_string(&file).unwrap(), "single\nmore\n");
    assert!(!protected.join("x").exists());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(case.state.path().to_str().unwrap()), "no mount of ours is visible outside");
    microvm::destroy(&case.plan.id, case.state.path()).unwrap();
    assert_eq!(fs::read_dir(case.state.path()).unwrap().count(), 0);
}

#[test]
fn a_read_only_root_and_limits() {
    let Some(fixture) = fixture() else { return };
    let script = "touch /x || echo refused; touch /dev/shm/x && echo shm; cat /etc/hostname; grep -c ^processor /proc/cpuinfo; \
                  head -1 /proc/meminfo; for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait; echo survived";
    let mut case = case(fixture, &["sh", "-c", script]);
    case.plan.rootfs.read_only = true;
    case.plan.resources.memory = Some(128 << 20);
    case.plan.resources.cpu_millis = Some(1500);
    case.plan.resources.pids = Some(5);
    case.plan.process.user = plan::User { uid: 1000, gid: 1000, additional_gids: vec![] };
    let outcome = run(fixture, &case, b"").unwrap();
    let text = outcome.text();
    assert!(text.starts_with("refused\nshm\ncoracle-test\n2\n"), "{outcome:?}");
    let memory: u64 = text.lines().nth(4).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((60_000..128 << 10).contains(&memory), "{memory} kB");
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("can't fork"), "{outcome:?}");
    assert!(!cgroup::list().unwrap().contains(&case.plan.id), "the control group is gone");
}
