//! Version 1 hierarchies of this machine, in groups of these tests alone. Needs root; without a version 1 memory controller each
//! test says that it is skipped.
//!
//! Unsafe because a process that moves itself does so between fork(2) and execve(2).
#![allow(unsafe_code)]

use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cgroup::{Controller, DevicePolicy, Error, Group, GroupPath, Layout, Manager};
use oci_spec::runtime::LinuxResources;
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

fn possible(controller: Controller) -> bool {
    let possible = Layout::detect().is_ok_and(|layout| layout.legacy(controller).is_some());
    if !possible {
        eprintln!("SKIP: no version 1 hierarchy with '{controller}'");
    }
    possible
}

fn resources(json: Value) -> LinuxResources {
    serde_json::from_value(json).unwrap()
}

fn fresh_path() -> GroupPath {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    GroupPath::parse(&format!("/coracle-test-{}-{number}", std::process::id())).unwrap()
}

/// A group that is removed at the end, also by a panic.
struct Case(Group);

impl Case {
    fn try_new(json: Value) -> Result<Self, Error> {
        let limits = resources(json);
        Group::create(&fresh_path(), Manager::Cgroupfs, Some(&limits), DevicePolicy::Rules, true).map(Self)
    }

    fn new(json: Value) -> Self {
        Self::try_new(json).unwrap_or_else(|error| panic!("{error}: {error:?}"))
    }

    fn update(&self, json: Value) -> Result<(), Error> {
        self.0.update(&resources(json)).map(drop)
    }

    #[track_caller]
    fn files(&self, controller: &str, wanted: &[(&str, &str)]) {
        let directory: PathBuf = self.0.paths()[controller].clone();
        for (file, text) in wanted {
            let path = directory.join(file);
            let found = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(found.trim(), *text, "{file}");
        }
    }

    /// A program that moves itself into the group before it begins, as the container's first process does.
    fn spawn(&self, program: &str, args: &[&str]) -> Child {
        let mover = self.0.mover().unwrap();
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stderr(Stdio::null());
        // SAFETY: the closure makes write(2) calls only, which are allowed between fork(2) and execve(2).
        unsafe { command.pre_exec(move || mover.move_self()) };
        command.spawn().unwrap()
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

/// The error of a field, whose name must be in the message.
#[track_caller]
fn refused(result: Result<(), Error>, field: &str) -> Error {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(field), "{error}");
    error
}

fn created(json: Value) -> Result<(), Error> {
    Case::try_new(json).map(drop)
}

#[test]
fn memory() {
    if !possible(Controller::Memory) {
        return;
    }
    let case = Case::new(
        json!({ "memory": { "limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB, "swappiness": 30 } }),
    );
    case.files(
        "memory",
        &[
            ("memory.limit_in_bytes", "67108864"),
            ("memory.memsw.limit_in_bytes", "100663296"),
            ("memory.soft_limit_in_bytes", "33554432"),
            ("memory.swappiness", "30"),
        ],
    );
    // Up past the present limit with swap, and down again: each needs another order.
    case.update(json!({ "memory": { "limit": 128 * MIB, "swap": 256 * MIB } })).unwrap();
    case.files("memory", &[("memory.limit_in_bytes", "134217728"), ("memory.memsw.limit_in_bytes", "268435456")]);
    case.update(json!({ "memory": { "limit": 16 * MIB, "swap": 16 * MIB } })).unwrap();
    case.files("memory", &[("memory.limit_in_bytes", "16777216"), ("memory.memsw.limit_in_bytes", "16777216")]);
    case.update(json!({ "memory": { "limit": -1 } })).unwrap();
    case.files("memory", &[("memory.limit_in_bytes", "9223372036854771712")]);
    refused(created(json!({ "memory": { "limit": 2 * MIB, "swap": MIB } })), "linux.resources.memory.swap");
    refused(created(json!({ "memory": { "swappiness": 101 } })), "linux.resources.memory.swappiness");
}

#[test]
fn the_oom_killer() {
    if !possible(Controller::Memory) {
        return;
    }
    let case = Case::new(json!({ "memory": { "limit": 16 * MIB, "swap": 16 * MIB } }));
    let mut notifier = case.0.oom_notifier().unwrap();
    assert_eq!(notifier.take().unwrap(), 0);
    let mut child = case.spawn("dd", &["if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let wait = Timespec { tv_sec: 5, tv_nsec: 0 };
    let ready = rustix::event::poll(&mut [PollFd::from_borrowed_fd(notifier.as_fd(), PollFlags::IN)], Some(&wait));
    assert_eq!(ready, Ok(1));
    assert!(notifier.take().unwrap() >= 1);
    assert_eq!((notifier.take().unwrap(), case.0.usage().oom_kills), (0, Some(1)));
    case.update(json!({ "memory": { "disableOOMKiller": true } })).unwrap();
    let control = std::fs::read_to_string(case.0.paths()["memory"].join("memory.oom_control")).unwrap();
    assert!(control.contains("oom_kill_disable 1"), "{control}");
}

#[test]
fn half_a_mebibyte_is_enough_for_a_small_program() {
    if !possible(Controller::Memory) {
        return;
    }
    let case = Case::new(json!({ "memory": { "limit": 512 << 10, "swap": 512 << 10 } }));
    assert!(case.spawn("/bin/true", &[]).wait().unwrap().success());
}

#[test]
fn cpu() {
    if !possible(Controller::Cpu) {
        return;
    }
    let case = Case::new(json!({ "cpu": { "shares": 512, "quota": 50_000, "period": 100_000, "burst": 20_000 } }));
    let files = ["cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us"];
    let check = |texts: [&str; 4]| case.files("cpu", &std::array::from_fn::<_, 4, _>(|at| (files[at], texts[at])));
    check(["512", "50000", "100000", "20000"]);
    case.update(json!({ "cpu": { "quota": 5_000, "period": 10_000, "burst": 1_000 } })).unwrap();
    check(["512", "5000", "10000", "1000"]);
    case.update(json!({ "cpu": { "quota": 900_000, "period": 1_000_000, "shares": 2048 } })).unwrap();
    check(["2048", "900000", "1000000", "1000"]);
    case.update(json!({ "cpu": { "quota": -1, "burst": 0 } })).unwrap();
    check(["2048", "-1", "1000000", "0"]);
    case.update(json!({ "cpu": { "idle": 1 } })).unwrap();
    case.files("cpu", &[("cpu.idle", "1")]);
    let error = refused(created(json!({ "cpu": { "quota": 5 } })), "linux.resources.cpu.quota");
    assert!(matches!(error, Error::Field { path, .. } if path.ends_with("cpu.cfs_quota_us")));
}

#[test]
fn cpuset_and_pids() {
    if !possible(Controller::CpuSet) || !possible(Controller::Pids) {
        return;
    }
    let case = Case::new(json!({ "cpu": { "cpus": "0", "mems": "0" }, "pids": { "limit": 2 } }));
    case.files("cpuset", &[("cpuset.cpus", "0"), ("cpuset.mems", "0")]);
    case.files("pids", &[("pids.max", "2")]);
    let mut child = case.spawn("sh", &["-c", "(sleep 0; sleep 0 | sleep 0 | sleep 0) || exit 3"]);
    assert!(!child.wait().unwrap().success(), "more than two processes");
    case.update(json!({ "pids": { "limit": -1 } })).unwrap();
    case.files("pids", &[("pids.max", "max")]);
    refused(created(json!({ "cpu": { "cpus": "400000" } })), "linux.resources.cpu.cpus");
}

#[test]
fn block_io() {
    let disks = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let disk = disks.filter_map(|disk| std::fs::read_to_string(disk.path().join("dev")).ok()).next();
    let Some(disk) = disk.filter(|_| possible(Controller::Blkio)) else { return };
    let (major, minor) = disk.trim().split_once(':').unwrap();
    let (major, minor): (i64, i64) = (major.parse().unwrap(), minor.parse().unwrap());
    let rate = |rate: u64| json!([{ "major": major, "minor": minor, "rate": rate }]);
    let case = Case::new(
        json!({ "blockIO": { "throttleReadBpsDevice": rate(1_000_000), "throttleWriteIOPSDevice": rate(300) } }),
    );
    let line = |rate: u64| format!("{major}:{minor} {rate}");
    case.files("blkio", &[("blkio.throttle.read_bps_device", &line(1_000_000))]);
    case.files("blkio", &[("blkio.throttle.write_iops_device", &line(300))]);
    refused(created(json!({ "blockIO": { "weight": 5 } })), "linux.resources.blockIO.weight");
    let nowhere = json!([{ "major": 250, "minor": 250, "rate": 1 }]);
    refused(created(json!({ "blockIO": { "throttleWriteBpsDevice": nowhere } })), "throttleWriteBpsDevice");
}

#[test]
fn a_controller_that_is_not_here() {
    if Layout::detect().unwrap().legacy(Controller::NetCls).is_some() || !possible(Controller::Memory) {
        return;
    }
    let error = refused(created(json!({ "network": { "classID": 1 } })), "linux.resources.network.classID");
    assert!(matches!(error, Error::MissingController { controller: Controller::NetCls, .. }));
    Case::new(json!({ "network": { "classID": 0 }, "hugepageLimits": [], "unified": {} }));
}

#[test]
fn a_group_that_somebody_looks_for_is_in_every_hierarchy() {
    if !possible(Controller::Memory) {
        return;
    }
    let case = Case::new(json!({}));
    assert!(case.0.needs_move() && case.0.devices_restricted());
    let mut child = case.spawn("sleep", &["100"]);
    let pid = child.id();
    if let Some(unified) = case.0.birth_directory() {
        let path = format!("/proc/self/fd/{}/cgroup.procs", std::os::fd::AsRawFd::as_raw_fd(&unified));
        std::fs::write(path, pid.to_string()).unwrap();
    }
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let own = case.0.path().to_string();
    for controller in case.0.paths().keys() {
        let line =
            groups.lines().find(|line| line.split(':').nth(1).unwrap().split(',').any(|name| name == controller));
        let line = line.unwrap_or_else(|| panic!("no {controller} in {groups}"));
        assert!(line.ends_with(&own), "{line} is not {own}");
    }
    assert_eq!(case.0.processes(true), [pid as i32]);
    std::thread::sleep(Duration::from_millis(20));
    let stats = case.0.stats();
    assert!(stats.memory.usage.limit > 1 << 50 && stats.cpu.usage.total > 0, "{stats:?}");
    assert_eq!((stats.pids.current, stats.pids.limit), (1, 0));
    assert!(!stats.cpu.usage.percpu.is_empty() && !stats.cpuset.cpus.is_empty());
    case.0.remove().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let opened = Group::open(case.0.path()).unwrap();
    assert!(opened.is_disabled() && opened.paths().is_empty(), "nothing is left: {:?}", opened.paths());
}

#[test]
fn a_later_limit_joins_its_hierarchy() {
    if !possible(Controller::Pids) {
        return;
    }
    let group = Group::create(&fresh_path(), Manager::Cgroupfs, None, DevicePolicy::Rules, false).unwrap();
    let case = Case(group);
    if case.0.needs_move() {
        eprintln!("SKIP: no version 2 hierarchy, so the group is in several others from the beginning");
        return;
    }
    let script = "read go; sleep 100 & wait";
    let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
    case.0.add(child.id() as i32).unwrap();
    drop(child.stdin.take());
    case.update(json!({ "pids": { "limit": 5 } })).unwrap();
    let opened = Group::open(case.0.path()).unwrap();
    let procs = std::fs::read_to_string(opened.paths()["pids"].join("cgroup.procs")).unwrap();
    let mut there: Vec<i32> = procs.lines().map(|pid| pid.parse().unwrap()).collect();
    there.sort_unstable();
    assert!(there.contains(&(child.id() as i32)) && there == case.0.processes(true), "{there:?}");
    assert_eq!(std::fs::read_to_string(opened.paths()["pids"].join("pids.max")).unwrap().trim(), "5");
    opened.remove().unwrap();
    child.wait().unwrap();
}

#[test]
fn many_at_once_below_one_parent() {
    if !possible(Controller::CpuSet) {
        return;
    }
    let parent = fresh_path();
    let one = &|number: usize| {
        let path = GroupPath::parse(&format!("{parent}/deep/{number}")).unwrap();
        let limits = resources(json!({ "cpu": { "cpus": "0" }, "pids": { "limit": 5 } }));
        let case = Case(Group::create(&path, Manager::Cgroupfs, Some(&limits), DevicePolicy::Rules, true)?);
        let success = case.spawn("/bin/true", &[]).wait().unwrap().success();
        case.0.remove().map(|()| success && case.0.devices_restricted())
    };
    let results: Vec<Result<bool, Error>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|at| scope.spawn(move || (0..10).map(|n| one(at * 10 + n)).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let left = Group::open(&parent).unwrap().remove();
    let failed: Vec<_> = results.iter().filter(|result| !matches!(result, Ok(true))).collect();
    assert!(failed.is_empty() && results.len() == 80, "{failed:?}");
    left.unwrap();
}

#[test]
fn without_a_group() {
    let group = Group::create(&fresh_path(), Manager::Disabled, None, DevicePolicy::Rules, true).unwrap();
    assert!(group.is_disabled() && !group.needs_move() && group.processes(true).is_empty());
    assert!(matches!(group.freeze(true), Err(Error::Disabled { .. })));
    let limits = resources(json!({ "pids": { "limit": 5 } }));
    let refused = Group::create(&fresh_path(), Manager::Disabled, Some(&limits), DevicePolicy::Rules, true);
    assert!(matches!(refused, Err(Error::Disabled { operation: "linux.resources.pids.limit" })));
}
