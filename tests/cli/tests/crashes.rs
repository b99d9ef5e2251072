//! kill -9 of anything at any moment: what `ps` shows is true, and everything can be removed.

use cli_tests::{Sandbox, eventually, microvm_is_possible};

const LEVELS: [&str; 3] = ["container", "unikernel", "microvm"];

fn possible(level: &&str) -> bool {
    *level != "microvm" || microvm_is_possible()
}

fn kill(pid: &serde_json::Value) {
    let pid = rustix::process::Pid::from_raw(pid.as_i64().expect("a process id") as i32).expect("not zero");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
}

fn start(sandbox: &Sandbox, level: &str) -> serde_json::Value {
    let args = ["run", "-d", "--name", "x", "-p", "9000:9000", "--as", level, "busybox", "busybox", "sleep", "1000"];
    sandbox.coracle(&args).ok();
    sandbox.inspect("x")
}

#[test]
fn a_killed_program_is_recorded() {
    for level in LEVELS.iter().filter(|l| possible(l)) {
        let sandbox = Sandbox::with_busybox();
        let instance = start(&sandbox, level);
        kill(&instance["pid"]);
        eventually("the end is recorded", 10, || sandbox.inspect("x")["status"] == "exited");
        assert_eq!(sandbox.inspect("x")["exit_code"], 137, "{level}");
        sandbox.coracle(&["rm", "x"]).ok();
        sandbox.assert_clean();
    }
}

#[test]
fn a_killed_supervisor_is_seen_and_its_instance_can_be_removed() {
    for level in LEVELS.iter().filter(|l| possible(l)) {
        let sandbox = Sandbox::with_busybox();
        let instance = start(&sandbox, level);
        kill(&instance["supervisor_pid"]);
        // A microVM ends with its supervisor, the others go on.
        let expected = if *level == "microvm" { "dead" } else { "unsupervised" };
        eventually("the truth is shown", 10, || sandbox.inspect("x")["status"] == expected);
        assert!(sandbox.running().contains(&"x".to_owned()), "ps shows it");
        sandbox.coracle(&["rm", "-f", "x"]).ok();
        assert!(sandbox.running().is_empty());
        sandbox.assert_clean();
        // Its name and its port are free again.
        start(&sandbox, level);
        sandbox.coracle(&["rm", "-f", "x"]).ok();
        sandbox.assert_clean();
    }
}

#[test]
fn supervisor_and_program_killed_together_are_mended_by_check() {
    for level in LEVELS.iter().filter(|l| possible(l)) {
        let sandbox = Sandbox::with_busybox();
        let instance = start(&sandbox, level);
        kill(&instance["supervisor_pid"]);
        if *level != "microvm" {
            kill(&instance["pid"]);
        }
        eventually("it is dead", 10, || sandbox.inspect("x")["status"] == "dead");
        assert_eq!(sandbox.coracle(&["system", "check"]).code, 1, "{level}: something to mend");
        sandbox.coracle(&["system", "check", "--fix"]).ok();
        assert_eq!(sandbox.inspect("x")["status"], "exited");
        sandbox.coracle(&["rm", "x"]).ok();
        sandbox.assert_clean();
    }
}

#[test]
fn a_killed_command_line_does_not_end_its_instance() {
    let sandbox = Sandbox::with_busybox();
    let mut child = sandbox.spawn(&["run", "--name", "x", "busybox", "busybox", "sleep", "1000"]);
    eventually("it runs", 10, || sandbox.running() == ["x"]);
    child.kill().expect("nsenter executed coracle in its place");
    child.wait().expect("it ended");
    assert_eq!(sandbox.running(), ["x"]);
    sandbox.coracle(&["stop", "-t", "0", "x"]).ok();
    assert_eq!(sandbox.inspect("x")["status"], "exited");
    sandbox.coracle(&["rm", "x"]).ok();
    sandbox.assert_clean();
}

#[test]
fn starts_cut_short_at_any_moment_leave_nothing_that_check_cannot_mend() {
    for level in ["container", "unikernel"] {
        let sandbox = Sandbox::with_busybox();
        for delay in [0, 1, 2, 3, 5, 8, 12, 20, 40] {
            let mut child = sandbox.spawn(&["run", "-d", "--as", level, "busybox", "busybox", "sleep", "1000"]);
            std::thread::sleep(std::time::Duration::from_millis(delay));
            let _ = child.kill();
            let _ = child.wait();
        }
        // Supervisors that were forked before their command died go on and start what they were to start.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        for id in sandbox.coracle(&["ps", "-a", "-q"]).ok().split_whitespace() {
            sandbox.coracle(&["rm", "-f", id]).ok();
        }
        sandbox.coracle(&["system", "check", "--fix"]).ok();
        sandbox.assert_clean();
    }
}
