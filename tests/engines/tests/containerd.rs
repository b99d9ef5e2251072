//! containerd drives the runtime through its runc shim.

use std::fs;

use engine_tests::{Containerd, all_capabilities, eventually, runtime};

#[test]
fn runs() {
    let Some(engine) = Containerd::start() else { return };
    assert_eq!(engine.run("one", &["--rm"], &["echo", "hi"]).ok(), "hi");
    engine.run("one", &["--rm"], &["sh", "-c", "exit 3"]).fails(3);
    let missing = engine.run("one", &["--rm"], &["nosuch"]).fails(1);
    assert!(missing.contains("executable file not found in $PATH"), "{missing}");
    let denied = engine.run("one", &["--rm"], &["/etc/passwd"]).fails(1);
    assert!(denied.contains("permission denied"), "{denied}");
    assert_eq!(
        engine.run("one", &["--rm", "--env", "A=b c", "--cwd", "/var/tmp"], &["sh", "-c", "echo $A; pwd"]).ok(),
        "b c\n/var/tmp"
    );
    let terminal = engine.run_at_a_terminal("one", &["tty"]);
    assert!(terminal.out.contains("/dev/pts/0"), "{terminal:?}");
    engine.assert_clean();
}

#[test]
fn tasks() {
    let Some(engine) = Containerd::start() else { return };
    engine
        .run("one", &["--detach", "--null-io"], &["sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done"])
        .ok();
    let task = |words: &[&str]| engine.ctr(&[&["task"], words].concat());
    let status = || {
        task(&["ls"]).ok().lines().last().unwrap_or_default().split_whitespace().last().unwrap_or_default().to_owned()
    };
    assert_eq!(status(), "RUNNING");
    assert_eq!(task(&["exec", "--exec-id", "a", "one", "echo", "inside"]).ok(), "inside");
    task(&["exec", "--exec-id", "b", "one", "sh", "-c", "exit 5"]).fails(5);
    let missing = task(&["exec", "--exec-id", "c", "one", "nosuch"]).fails(1);
    assert!(missing.contains("executable file not found in $PATH"), "{missing}");
    task(&["pause", "one"]).ok();
    assert_eq!(status(), "PAUSED");
    task(&["resume", "one"]).ok();
    assert_eq!(status(), "RUNNING");
    assert!(task(&["ps", "one"]).ok().lines().count() >= 2);
    let metrics = task(&["metrics", "one"]).ok();
    assert!(metrics.contains("memory") && metrics.contains("pids"), "{metrics}");
    task(&["kill", "--signal", "SIGTERM", "one"]).ok();
    eventually("it stops", 10, || status() == "STOPPED");
    assert!(task(&["rm", "one"]).err.contains("exit code 9"));
    engine.ctr(&["container", "rm", "one"]).ok();
    engine.run("two", &["--detach", "--null-io"], &["sleep", "100"]).ok();
    task(&["kill", "--all", "--signal", "SIGKILL", "two"]).ok();
    eventually("it stops", 10, || status() == "STOPPED");
    assert!(task(&["rm", "two"]).err.contains("exit code 137"));
    engine.ctr(&["container", "rm", "two"]).ok();
    engine.assert_clean();
}

#[test]
fn limits_mounts_and_namespaces() {
    let Some(engine) = Containerd::start() else { return };
    let dir = engine.cage().dir().join("shared");
    fs::create_dir(&dir).expect("a directory");
    let mount = |options: &str| format!("type=bind,src={},dst=/v,options=rbind:{options}", dir.display());
    engine.run("one", &["--rm", "--mount", &mount("rw")], &["sh", "-c", "echo written >/v/file"]).ok();
    assert_eq!(fs::read_to_string(dir.join("file")).expect("it was written"), "written\n");
    let denied = engine.run("one", &["--rm", "--mount", &mount("ro")], &["touch", "/v/other"]);
    assert!(denied.code != 0 && denied.err.contains("Read-only"), "{denied:?}");
    let denied = engine.run("one", &["--rm", "--read-only"], &["touch", "/no"]);
    assert!(denied.code != 0 && denied.err.contains("Read-only"), "{denied:?}");
    let flags =
        ["--detach", "--null-io", "--memory-limit", "67108864", "--cpu-quota", "25000", "--cpu-period", "50000"];
    engine.run("one", &flags, &["sleep", "100"]).ok();
    assert_eq!(engine.limit("one", &["memory.limit_in_bytes", "memory.max"]), "67108864");
    assert!(["25000", "25000 50000"].contains(&engine.limit("one", &["cpu.cfs_quota_us", "cpu.max"]).as_str()));
    engine.ctr(&["task", "kill", "--signal", "SIGKILL", "one"]).ok();
    eventually("it stops", 10, || engine.ctr(&["task", "ls"]).ok().contains("STOPPED"));
    assert!(engine.ctr(&["task", "rm", "one"]).err.contains("exit code 137"));
    engine.ctr(&["container", "rm", "one"]).ok();
    let maps = ["--rm", "--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"];
    let map = engine.run("one", &maps, &["cat", "/proc/self/uid_map"]).ok();
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"]);
    assert!(engine.run("one", &["--rm", "--seccomp"], &["grep", "Seccomp:", "/proc/self/status"]).ok().ends_with('2'));
    if all_capabilities() || runtime().ends_with("coracle-oci") {
        engine.run("one", &["--rm", "--privileged"], &["mount", "-t", "tmpfs", "tmpfs", "/tmp"]).ok();
    }
    engine.assert_clean();
}
