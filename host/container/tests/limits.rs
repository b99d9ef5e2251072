//! Limits on memory, CPU time, CPUs and processes.

mod common;

use common::Fixture;

#[test]
fn memory() {
    // tail keeps the whole line that never ends.
    let mut fixture = Fixture::new(&["/bin/busybox", "tail", "/dev/zero"]);
    fixture.plan.resources.memory = Some(16 << 20);
    assert_eq!(fixture.run().status.code(), Some(137));
}

#[test]
fn processes() {
    let mut fixture = Fixture::new(&["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"]);
    fixture.plan.resources.pids = Some(4);
    let output = fixture.run();
    assert!(String::from_utf8_lossy(&output.stderr).contains("can't fork"), "{output:?}");
}

#[test]
fn cpus_and_what_is_seen_inside() {
    let mut fixture = Fixture::new(&[
        "sh",
        "-c",
        "grep Cpus_allowed_list /proc/self/status; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory/memory.limit_in_bytes; cat /proc/self/cgroup | grep -c /coracle",
    ]);
    if cgroup::Layout::detect().unwrap().legacy(cgroup::Controller::Cpu).is_none() {
        eprintln!("SKIP: the files read here are those of version 1");
        return;
    }
    fixture.plan.resources =
        plan::Resources { memory: Some(64 << 20), cpu_millis: Some(250), cpuset: Some("1".to_owned()), pids: None };
    let output = fixture.run();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "Cpus_allowed_list:\t1\n25000\n67108864\n0\n", "{output:?}");
}

#[test]
fn a_cpu_that_is_not_there_is_an_error() {
    let mut fixture = Fixture::new(&["true"]);
    fixture.plan.resources.cpuset = Some("4000".to_owned());
    assert!(fixture.fails(125).contains("cpuset.cpus"));
}
