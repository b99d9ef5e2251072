use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

use cgroup::{DevicePolicy, Error, Group, GroupPath, Manager};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;
use serde_json::json;

use super::{Case, ready, resources};

#[test]
#[ignore = "inside the guest"]
fn ordered_device_rules() {
    if !ready() {
        return;
    }
    let rule = |allow: bool, minor: Option<i64>, access: &str| match minor {
        Some(minor) => json!({ "allow": allow, "type": "c", "major": 1, "minor": minor, "access": access }),
        None => json!({ "allow": allow, "type": "c", "major": 1, "access": access }),
    };
    let everything = json!({ "allow": false, "access": "rwm" });
    // Kernel messages (1:11): the last rule allows reading alone.
    let rules = json!([everything, rule(true, None, "rw"), rule(false, Some(11), "w")]);
    let case = Case::new(json!({ "devices": rules }));
    assert!(case.group.devices_restricted() && case.group.warnings().is_empty(), "{:?}", case.group.warnings());
    let node = "/dev/kmsg-test";
    // On the root, as a guest's /dev is small and its /tmp without devices.
    let made = Command::new("/bin/busybox").args(["mknod", node, "c", "1", "11"]).status().unwrap();
    assert!(
        made.success() && std::fs::OpenOptions::new().read(true).write(true).open(node).is_ok(),
        "outside it opens"
    );
    let opens = |how: &str| case.shell(&format!("exec 3{how}{node}")).wait().unwrap().success();
    assert!(opens("<") && !opens(">") && !opens("<>"));
    assert!(case.shell("exec 3<>/dev/null").wait().unwrap().success(), "default devices");
    case.update(json!({ "devices": [everything] })).unwrap();
    assert!(!opens("<"), "an update replaces the rules");
    assert!(case.shell("exec 3<>/dev/null").wait().unwrap().success(), "default devices after an update");
    case.update(json!({ "devices": [{ "allow": true, "access": "rwm" }] })).unwrap();
    assert!(opens("<>"));
}

#[test]
#[ignore = "inside the guest"]
fn freezing_waits_and_killing_reaches_the_frozen() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({}));
    let mut child = case.shell("while :; do :; done");
    case.group.freeze(true).unwrap();
    assert!(case.group.frozen() && case.file("cgroup.events").contains("frozen 1"));
    case.group.freeze(false).unwrap();
    assert!(!case.group.frozen());
    case.group.freeze(true).unwrap();
    case.group.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
#[ignore = "inside the guest"]
fn signals_and_groups_below() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({}));
    let mut one = case.shell("exec /bin/busybox sleep 100");
    let below = GroupPath::parse(&format!("{}/below/deep", case.group.path())).unwrap();
    let deep = Group::create(&below, Manager::Cgroupfs, None, DevicePolicy::Unrestricted, false).unwrap();
    let mut two = Command::new("/bin/busybox").args(["sleep", "100"]).spawn().unwrap();
    deep.add(two.id() as i32).unwrap();
    assert_eq!(case.group.processes(false), [one.id() as i32]);
    let mut both = [one.id() as i32, two.id() as i32];
    both.sort_unstable();
    assert_eq!(case.group.processes(true), both);
    case.group.signal_all(Signal::TERM).unwrap();
    assert_eq!((one.wait().unwrap().signal(), two.wait().unwrap().signal()), (Some(15), Some(15)));
    let mut last = case.shell("exec /bin/busybox sleep 100");
    case.group.remove().unwrap();
    assert_eq!(last.wait().unwrap().signal(), Some(9));
    assert!(!std::path::Path::new("/sys/fs/cgroup").join(&case.group.path().to_string()[1..]).exists());
    case.group.remove().unwrap();
}

#[test]
#[ignore = "inside the guest"]
fn a_group_with_processes_is_nobody_elses() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({}));
    let mut child = case.shell("exec /bin/busybox sleep 100");
    let again = Group::create(case.group.path(), Manager::Cgroupfs, None, DevicePolicy::Rules, true);
    assert!(matches!(again, Err(Error::NotEmpty { count: 1, .. })), "{again:?}");
    assert!(child.try_wait().unwrap().is_none(), "it lives on");
    case.group.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "inside the guest"]
fn out_of_memory_is_noticed() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "memory": { "limit": 16 << 20, "swap": 16 << 20 } }));
    let mut notifier = case.group.oom_notifier().unwrap();
    assert_eq!(notifier.take().unwrap(), 0);
    let mut child = case.shell("exec /bin/busybox dd if=/dev/zero of=/dev/null bs=64M count=1");
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let wait = Timespec { tv_sec: 5, tv_nsec: 0 };
    let ready = rustix::event::poll(&mut [PollFd::from_borrowed_fd(notifier.as_fd(), PollFlags::IN)], Some(&wait));
    assert_eq!(ready, Ok(1));
    assert!(notifier.take().unwrap() >= 1);
    assert_eq!((notifier.take().unwrap(), case.group.usage().oom_kills), (0, Some(1)));
    assert_eq!(case.group.stats().memory.oom_kills, 1);
}

#[test]
#[ignore = "inside the guest"]
fn half_a_mebibyte_is_enough_for_a_small_program() {
    if !ready() {
        return;
    }
    let case = Case::new(json!({ "memory": { "limit": 512 << 10, "swap": 512 << 10 } }));
    case.files(&[("memory.max", "524288")]);
    assert!(case.shell("exec /bin/busybox true").wait().unwrap().success());
}

#[test]
#[ignore = "inside the guest"]
fn statistics() {
    if !ready() {
        return;
    }
    let limits = json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 5 },
        "cpu": { "quota": 20_000, "period": 100_000 }, "hugepageLimits": [{ "pageSize": "2MB", "limit": 2 << 20 }] });
    let case = Case::new(limits);
    let mut child = case.shell("/bin/busybox dd if=/dev/zero of=/tmp/used bs=1M count=2; while :; do :; done");
    std::thread::sleep(Duration::from_millis(800));
    let stats = case.group.stats();
    assert!(stats.cpu.usage.total > 10_000_000 && stats.cpu.usage.user > 0, "{:?}", stats.cpu);
    assert!(stats.cpu.throttling.throttled_periods > 0 && stats.cpu.throttling.throttled_time > 0, "{:?}", stats.cpu);
    assert!(stats.memory.usage.usage > 0 && stats.memory.usage.limit == 64 << 20, "{:?}", stats.memory);
    assert!(stats.memory.raw.contains_key("anon") && stats.memory.swap.limit > 64 << 20);
    assert_eq!((stats.pids.current, stats.pids.limit), (1, 5));
    assert_eq!((stats.cpuset.cpus.first(), stats.hugetlb["2MB"].usage), (Some(&0), 0));
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["memory"]["usage"]["limit"], 64 << 20);
    assert!(json["cpu"]["throttling"]["throttledTime"].is_u64() && json["blkio"].is_object());
    case.group.kill().unwrap();
    child.wait().unwrap();
}

/// A caller without privileges, in a subtree that was given to it.
#[test]
#[ignore = "inside the guest"]
fn delegation() {
    if !ready() {
        return;
    }
    match std::env::var("CORACLE_TEST_DELEGATED").as_deref() {
        Ok("yes") => return delegated(),
        Ok(_) => return not_delegated(),
        Err(_) => {}
    }
    let case = Case::new(json!({}));
    let own = format!("/sys/fs/cgroup{}", case.group.path());
    for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        std::os::unix::fs::chown(format!("{own}/{file}"), Some(1000), Some(1000)).unwrap();
    }
    let again = |delegated: &str| {
        let mut command = Command::new("/test");
        command.args(["--ignored", "--exact", "inside::processes::delegation", "--nocapture"]).uid(1000).gid(1000);
        command.env("CORACLE_TEST_DELEGATED", delegated).output()
    };
    let without = again("no");
    // Its caller's group is where a process is born.
    std::fs::write(format!("{own}/cgroup.procs"), "0").unwrap();
    let with = again("yes");
    std::fs::write("/sys/fs/cgroup/cgroup.procs", "0").unwrap();
    for output in [without.unwrap(), with.unwrap()] {
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}

fn not_delegated() {
    assert!(!rustix::process::geteuid().is_root());
    let path = GroupPath::for_container("own").unwrap();
    let make = |limits| Group::create(&path, Manager::Cgroupfs, limits, DevicePolicy::Rules, false);
    let group = make(None).unwrap();
    assert!(group.is_disabled() && !group.devices_restricted() && group.birth_directory().is_none());
    assert_eq!(group.warnings()[0].field, "linux.cgroupsPath");
    let limits = resources(json!({ "memory": { "limit": 1 << 20 } }));
    assert!(matches!(make(Some(&limits)), Err(Error::Create { .. })), "a limit that cannot be set is an error");
    let none = resources(json!({ "memory": { "limit": -1 }, "pids": { "limit": 0 }, "devices": [{ "allow": false }] }));
    assert!(make(Some(&none)).unwrap().is_disabled());
}

fn delegated() {
    assert!(!rustix::process::geteuid().is_root());
    let path = GroupPath::for_container("own").unwrap();
    let make = |limits| Group::create(&path, Manager::Cgroupfs, limits, DevicePolicy::Rules, false);
    let group = make(None).unwrap();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.trim().strip_prefix("0::").unwrap();
    assert_eq!(group.path().to_string(), format!("{own}/coracle-oci/own"));
    let mut child = Command::new("/bin/busybox").args(["sleep", "100"]).spawn().unwrap();
    group.add(child.id() as i32).unwrap();
    group.freeze(true).unwrap();
    let again = Group::open(group.path()).unwrap();
    again.remove().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let limits = resources(json!({ "memory": { "limit": 1 << 20 } }));
    assert!(make(Some(&limits)).is_err(), "a limit that cannot be set is an error");
}
