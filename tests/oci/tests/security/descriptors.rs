//! Descriptors that a container must not get.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use oci_tests::{Bundle, Runtime};
use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::json;

use crate::{Canary, SECRET};

/// Tries to read the host's file over paths relative to the working directory, and over all descriptors.
fn climb(canary: &Canary) -> String {
    let secret = canary.secret();
    format!(
        "up=.; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat $up{secret}; up=$up/..; done 2>/dev/null; \
         for fd in /proc/self/fd/*; do cat $fd{secret} $fd/..{secret} $fd/../../..{secret}; done 2>/dev/null; \
         pwd; true",
        secret = secret.display()
    )
}

/// A working directory that is a descriptor of the runtime (runc before 1.1.12, CVE-2024-21626: 7 was
/// a control group's directory on the host).
#[test]
fn a_descriptor_as_working_directory_leads_nowhere() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    for number in 3..=40 {
        for path in [format!("/proc/self/fd/{number}"), format!("/proc/self/fd/{number}/")] {
            let mut bundle = Bundle::new(&climb(&canary));
            bundle.config["process"]["cwd"] = json!(path);
            let done = runtime.run(&bundle);
            assert!(!done.stdout.contains(SECRET), "{path}: {done:?}");
        }
    }
    // Links to descriptors, in one step and in two.
    for number in 3..=16 {
        let mut bundle = Bundle::new(&climb(&canary));
        symlink(format!("/proc/self/fd/{number}"), bundle.inside("link")).unwrap();
        bundle.config["process"]["cwd"] = json!("/link");
        let done = runtime.run(&bundle);
        assert!(!done.stdout.contains(SECRET), "link to {number}: {done:?}");
    }
}

/// The same for a process that joins.
#[test]
fn a_descriptor_as_working_directory_of_a_joining_process_leads_nowhere() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let bundle = Bundle::new("sleep 100");
    symlink("/proc/self/fd", bundle.inside("fds")).unwrap();
    let id = runtime.start(&bundle);
    for number in 3..=40 {
        for path in [format!("/proc/self/fd/{number}"), format!("/fds/{number}"), format!("/proc/1/fd/{number}")] {
            let done = runtime.call(&["exec", "--cwd", &path, &id, "sh", "-c", &climb(&canary)]);
            assert!(!done.stdout.contains(SECRET), "{path}: {done:?}");
        }
    }
}

/// Descriptors that the runtime was started with, or has opened itself, are closed before the program runs, and a container
/// cannot reach them as `/proc/self/fd/N` (runc CVE-2024-21626's second half; `LISTEN_FDS` passes what it says and no more).
#[test]
fn a_program_gets_the_standard_descriptors_only() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let leaked = File::open(canary.path()).unwrap();
    fcntl_setfd(&leaked, FdFlags::empty()).unwrap();
    let bundle = Bundle::new("exec ls -l /proc/self/fd");
    let descriptors = |text: &str| -> Vec<String> {
        // `ls` has the directory itself open.
        let lines = text.lines().filter(|line| line.contains(" -> ") && !line.contains("/fd"));
        lines.map(|line| line.split(" -> ").next().unwrap().rsplit(' ').next().unwrap().to_owned()).collect()
    };
    let done = runtime.run(&bundle);
    assert_eq!(descriptors(&done.stdout), ["0", "1", "2"], "run: {done:?}");
    let sleeping = Bundle::new("sleep 100");
    let id = runtime.start(&sleeping);
    let done = runtime.exec(&id, &["ls", "-l", "/proc/self/fd"]);
    assert_eq!(descriptors(&done.stdout), ["0", "1", "2"], "exec: {done:?}");
    assert!(leaked.as_raw_fd() > 2);
}

/// A first process that waits for `start` shows a second container nothing of the host either.
#[test]
fn a_waiting_container_has_no_descriptor_of_the_host() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let bundle = Bundle::new(&climb(&canary));
    bundle.write();
    let id = runtime.id();
    let log = bundle.path().join("log");
    let create = runtime
        .command(&["create", "--bundle", bundle.path().to_str().unwrap(), &id])
        .stdout(File::create(&log).unwrap())
        .stderr(File::create(bundle.path().join("errors")).unwrap())
        .status()
        .unwrap();
    assert!(create.success());
    // The id of a container ends in the state's file; the process looks at itself once it is started.
    runtime.call(&["start", &id]).ok();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains('/') && !text.contains(SECRET), "{text:?}");
}
