//! A runtime that is killed: whatever the moment, what it leaves is reported truly and removed by `delete --force`.

use std::path::Path;
use std::process::{Command, Stdio};

use oci_tests::{Bundle, Runtime};
use serde_json::Value;

/// The system calls that a command of the runtime makes itself, in their order.
fn system_calls(runtime: &Runtime, args: &[&str]) -> Vec<String> {
    let trace = runtime.state_dir().join("trace");
    let status = strace(runtime, &[], trace.to_str().expect("text"), args);
    assert!(status.success(), "{args:?}: {status}");
    let text = std::fs::read_to_string(&trace).expect("the trace");
    let name = |line: &str| Some(line.split_once('(')?.0.to_owned()).filter(|name| !name.contains(' '));
    let calls: Vec<_> = text.lines().filter_map(name).collect();
    std::fs::remove_file(trace).expect("the trace");
    calls
}

/// Runs a command of the runtime that is killed at the `nth` call of one kind.
fn killed_at(runtime: &Runtime, call: &str, nth: usize, args: &[&str]) {
    let injection = format!("inject={call}:signal=KILL:when={nth}");
    strace(runtime, &["-e", &injection], "/dev/null", args);
}

fn strace(runtime: &Runtime, flags: &[&str], output: &str, args: &[&str]) -> std::process::ExitStatus {
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o", output]).args(flags).arg(runtime.program());
    strace.arg("--root").arg(runtime.state_dir()).args(args);
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("strace")
}

/// Every call but the first and the last, which are execve(2) and the exit, with its number among those of its kind.
fn moments(calls: &[String]) -> Vec<(&str, usize)> {
    let nth = |index: usize| calls[..=index].iter().filter(|call| **call == calls[index]).count();
    (1..calls.len() - 1).map(|index| (&*calls[index], nth(index))).collect()
}

fn strace_works() -> bool {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        println!("SKIP: strace cannot trace here, so no command is killed at a chosen system call");
    }
    works
}

#[track_caller]
fn true_state_and_clean_end(runtime: &Runtime, id: &str, allowed: &[&str], what: &str) {
    let state = runtime.call(&["state", id]);
    if state.status == 0 {
        let state: Value = serde_json::from_str(&state.stdout).expect("JSON");
        let status = state["status"].as_str().expect("a status");
        assert!(allowed.contains(&status), "{what}: {status}");
        let pid = state["pid"].as_i64().expect("a number");
        assert_eq!(pid > 0, matches!(status, "created" | "running"), "{what}: {state}");
    } else {
        assert!(state.stderr.contains("does not exist") || state.stderr.contains("damaged"), "{what}: {state:?}");
    }
    runtime.delete(id).ok();
    assert_eq!(runtime.leftovers(id), Vec::<std::path::PathBuf>::new(), "{what}");
}

#[test]
fn create_killed_at_every_system_call() {
    if !strace_works() {
        return;
    }
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    bundle.write();
    let path = bundle.path().to_str().expect("text");
    let id = runtime.id();
    let calls = system_calls(&runtime, &["create", "--bundle", path, &id]);
    runtime.delete(&id).ok();
    for (call, nth) in moments(&calls) {
        let id = runtime.id();
        killed_at(&runtime, call, nth, &["create", "--bundle", path, &id]);
        let allowed = ["creating", "created", "stopped"];
        true_state_and_clean_end(&runtime, &id, &allowed, &format!("killed at {call} {nth}"));
    }
    nobody_is_left(bundle.path());
}

#[test]
fn start_and_delete_killed_at_every_system_call() {
    if !strace_works() {
        return;
    }
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    for command in [&["start"][..], &["delete", "--force"]] {
        let id = runtime.id();
        assert_eq!(runtime.create(&bundle, &id).status, 0);
        let calls = system_calls(&runtime, &[command, &[&*id]].concat());
        runtime.delete(&id).ok();
        for (call, nth) in moments(&calls) {
            let id = runtime.id();
            assert_eq!(runtime.create(&bundle, &id).status, 0);
            killed_at(&runtime, call, nth, &[command, &[&*id]].concat());
            let allowed = ["created", "running", "stopped"];
            true_state_and_clean_end(&runtime, &id, &allowed, &format!("{command:?} killed at {call} {nth}"));
        }
    }
    nobody_is_left(bundle.path());
}

#[test]
fn damaged_states_are_told_and_removed() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    for text in ["", "{", "[]", "{\"id\":\"x\"}", "\u{0}\u{0}"] {
        let id = runtime.id();
        assert_eq!(runtime.create(&bundle, &id).status, 0);
        let file = runtime.state_dir().join(&id).join("state.json");
        std::fs::write(file, text).expect("our directory");
        for command in ["state", "start", "kill", "delete"] {
            let done = runtime.call(&[command, &id]);
            assert!(done.status == 1 && done.stderr.contains("damaged"), "{text}: {command}: {done:?}");
        }
        assert_eq!(runtime.call(&["list", "-q"]).status, 0);
        assert_eq!(runtime.call(&["list"]).status, 0, "one damaged container does not hide the others");
        runtime.delete(&id).ok();
        assert!(runtime.leftovers(&id).is_empty());
    }
    nobody_is_left(bundle.path());
}

#[test]
fn a_reused_process_id_is_nobodys_container() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    let id = runtime.start(&bundle);
    let file = runtime.state_dir().join(&id).join("state.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&file).expect("a state")).expect("JSON");
    // Start times are counted in hundredths of a second.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let victim = Command::new("sleep").arg("1000").spawn().expect("sleep");
    state["process"]["pid"] = victim.id().into();
    std::fs::write(&file, state.to_string()).expect("our directory");
    let done = runtime.call(&["kill", &id, "KILL"]);
    assert!(done.status == 1 && done.stderr.contains("not running"), "{done:?}");
    runtime.delete(&id).ok();
    let mut victim = victim;
    assert!(victim.try_wait().expect("our child").is_none(), "a stranger with the same number was killed");
    victim.kill().and_then(|()| victim.wait()).expect("our child");
}

/// No process has its root in the bundle.
#[track_caller]
fn nobody_is_left(bundle: &Path) {
    let inside = |pid: &str| std::fs::read_link(format!("/proc/{pid}/root")).is_ok_and(|root| root.starts_with(bundle));
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let left: Vec<_> =
        processes.filter_map(|entry| entry.file_name().into_string().ok()).filter(|pid| inside(pid)).collect();
    assert!(left.is_empty(), "{left:?}");
}
