//! The command line: a container's life, further programs, output, exit statuses.

use std::process::Stdio;
use std::time::{Duration, Instant};

use oci_tests::{Bundle, Runtime};
use serde_json::Value;

fn state(runtime: &Runtime, id: &str) -> Value {
    serde_json::from_str(&runtime.call(&["state", id]).ok()).expect("JSON")
}

#[track_caller]
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_life_in_the_specifications_order() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    let id = runtime.id();
    assert_eq!(runtime.create(&bundle, &id).status, 0);
    let created = state(&runtime, &id);
    assert_eq!(created["status"], "created");
    assert_eq!(created["id"], *id);
    assert_eq!(created["bundle"], *bundle.path().to_string_lossy());
    assert_eq!(created["ociVersion"], "1.0.2");
    let refused = runtime.call(&["delete", &id]);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("not stopped"), "{}", refused.stderr);

    runtime.call(&["start", &id]).ok();
    let running = state(&runtime, &id);
    assert_eq!(running["status"], "running");
    assert_eq!(running["pid"], created["pid"], "the same process goes on");
    let again = runtime.call(&["start", &id]);
    assert!(again.status == 1 && again.stderr.contains("already running"), "{again:?}");

    runtime.call(&["kill", &id, "KILL"]).ok();
    wait_for("the container ends", || state(&runtime, &id)["status"] == "stopped");
    assert_eq!(state(&runtime, &id)["pid"], 0);
    let late = runtime.call(&["kill", &id]);
    assert!(late.status == 1 && late.stderr.contains("container not running"), "{late:?}");
    runtime.call(&["delete", &id]).ok();
    assert_eq!(runtime.leftovers(&id), Vec::<std::path::PathBuf>::new());
    let gone = runtime.call(&["state", &id]);
    assert!(gone.status == 1 && gone.stderr.contains("does not exist"), "{gone:?}");
    runtime.call(&["delete", "--force", &id]).ok();
}

#[test]
fn run_gives_the_programs_status_and_leaves_nothing() {
    let runtime = Runtime::new();
    let done = runtime.run(&Bundle::new("echo out; echo err >&2; exit 42"));
    assert_eq!((done.status, &*done.stdout, &*done.stderr), (42, "out\n", "err\n"));
    assert_eq!(runtime.run(&Bundle::new("kill -TERM $$; exit 5")).status, 5, "process 1 has no handler for it");
    let left: Vec<_> = std::fs::read_dir(runtime.state_dir()).expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn keep_leaves_a_stopped_container() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("true"));
    let id = runtime.id();
    bundle.write();
    runtime.call(&["run", "--keep", "--bundle", bundle.path().to_str().expect("text"), &id]).ok();
    assert_eq!(state(&runtime, &id)["status"], "stopped");
    runtime.call(&["delete", &id]).ok();
}

#[test]
fn signals_are_passed_on() {
    let (runtime, bundle) =
        (Runtime::new(), Bundle::new("trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"));
    bundle.write();
    let id = runtime.id();
    let mut command = runtime.command(&["run", "--bundle", bundle.path().to_str().expect("text"), &id]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the runtime");
    let mut first = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut first).expect("the program's line");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our child");
    assert_eq!(child.wait().expect("our child").code(), Some(9));
    assert!(runtime.leftovers(&id).is_empty());
}

#[test]
fn further_programs() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    let id = runtime.start(&bundle);
    let exec = |args: &[&str]| runtime.call(&[&["exec"], args].concat());
    assert_eq!(exec(&[&id, "sh", "-c", "exit 7"]).status, 7);
    assert_eq!(exec(&["--cwd", "/tmp", &id, "pwd"]).ok(), "/tmp\n");
    assert_eq!(exec(&["-e", "A=1", "-e", "TERM=dumb", &id, "sh", "-c", "echo $A $TERM"]).ok(), "1 dumb\n");
    assert_eq!(exec(&["-u", "1000:1001", &id, "sh", "-c", "id -u; id -g"]).ok(), "1000\n1001\n");
    assert_eq!(exec(&["-g", "7", "-g", "8", &id, "id", "-G"]).ok(), "0 7 8\n");
    assert_eq!(exec(&[&id, "sh", "-c", "kill -9 $$"]).status, 137);
    for user in ["root", "0:-1", "-1", "4294967295", "1000:", "0x0"] {
        let flag = format!("--user={user}");
        let done = exec(&[&flag, &id, "id"]);
        assert!(done.status == 1 && done.stderr.contains("user or group number"), "{user}: {done:?}");
    }
    let missing = exec(&[&id, "nosuch"]);
    assert_eq!(missing.status, 255);
    assert!(missing.stderr.contains("executable file not found in $PATH"), "{missing:?}");
    let directory = exec(&[&id, "/etc"]);
    assert!(directory.status == 255 && directory.stderr.contains("permission denied"), "{directory:?}");
}

#[test]
fn a_process_file_and_a_pid_file() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    let id = runtime.start(&bundle);
    let mut process = bundle.config["process"].clone();
    process["args"] = serde_json::json!(["sh", "-c", "exit 3"]);
    let file = bundle.path().join("process.json");
    std::fs::write(&file, process.to_string()).expect("our directory");
    let file = file.to_str().expect("text");
    assert_eq!(runtime.call(&["exec", "--process", file, &id]).status, 3);
    let pid_file = bundle.path().join("pid");
    let pid_file = pid_file.to_str().expect("text");
    let mut detached = runtime.command(&["exec", "--detach", "--pid-file", pid_file, &id, "sleep", "1000"]);
    assert!(detached.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the runtime").success());
    let pid: i32 = std::fs::read_to_string(pid_file).expect("written").parse().expect("a number");
    let listed: Vec<i32> = serde_json::from_str(&runtime.call(&["ps", "-f", "json", &id]).ok()).expect("JSON");
    assert!(listed.contains(&pid) && listed.len() == 2, "{listed:?}");
}

#[test]
fn pause_and_resume() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    let id = runtime.start(&bundle);
    runtime.call(&["pause", &id]).ok();
    assert_eq!(state(&runtime, &id)["status"], "paused");
    let refused = runtime.call(&["exec", &id, "true"]);
    assert!(refused.status == 255 && refused.stderr.contains("paused"), "{refused:?}");
    assert_eq!(runtime.call(&["pause", &id]).status, 1);
    runtime.call(&["resume", &id]).ok();
    assert_eq!(runtime.exec(&id, &["echo", "on"]).ok(), "on\n");
    runtime.call(&["pause", &id]).ok();
    runtime.call(&["kill", &id, "KILL"]).ok();
    wait_for("a paused container can be killed", || state(&runtime, &id)["status"] == "stopped");
}

#[test]
fn lists() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    assert_eq!(runtime.call(&["list", "-f", "json"]).ok(), "[]\n");
    let (one, two) = (runtime.start(&bundle), runtime.start(&bundle));
    let names = runtime.call(&["list", "-q"]).ok();
    assert!(names.lines().eq([&*one, &*two]), "{names}");
    let list: Value = serde_json::from_str(&runtime.call(&["list", "-f", "json"]).ok()).expect("JSON");
    assert_eq!(list[0]["status"], "running");
    let table = runtime.call(&["list"]).ok();
    assert!(table.starts_with("ID") && table.lines().count() == 3, "{table}");
    assert!(runtime.call(&["ps", &one]).ok().contains("sleep 1000"));
}

#[test]
fn limits_can_be_changed() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    let id = runtime.start(&bundle);
    let mut update = runtime.command(&["update", "-r", "-", &id]);
    let mut child = update.stdin(Stdio::piped()).spawn().expect("the runtime");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), br#"{"pids":{"limit":33}}"#)
        .expect("its input");
    assert!(child.wait().expect("our child").success());
    let stats: Value = serde_json::from_str(&runtime.call(&["events", "--stats", &id]).ok()).expect("JSON");
    assert_eq!(stats["data"]["pids"]["limit"], 33, "{stats}");
    runtime.call(&["update", "--pids-limit", "44", "--memory", "64M", &id]).ok();
    let stats: Value = serde_json::from_str(&runtime.call(&["events", "--stats", &id]).ok()).expect("JSON");
    assert_eq!(stats["data"]["pids"]["limit"], 44, "{stats}");
    assert_eq!(stats["data"]["memory"]["usage"]["limit"], 64 << 20, "{stats}");
    runtime.delete(&id).ok();
    assert!(runtime.leftovers(&id).is_empty());
}

#[test]
fn what_it_says_about_itself() {
    let runtime = Runtime::new();
    assert!(runtime.call(&["--version"]).ok().contains("\nspec: 1."));
    let features: Value = serde_json::from_str(&runtime.call(&["features"]).ok()).expect("JSON");
    assert_eq!(features["linux"]["cgroup"]["v2"], true);
    for command in
        "create start state kill delete exec run ps list pause resume update events features spec checkpoint \
                    restore completion"
            .split_whitespace()
    {
        assert!(runtime.call(&[command, "--help"]).ok().contains("Usage: coracle-oci"), "{command}");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("text");
    runtime.call(&["spec", "--bundle", path]).ok();
    assert_eq!(runtime.call(&["spec", "--bundle", path]).status, 1, "never over an existing file");
}
