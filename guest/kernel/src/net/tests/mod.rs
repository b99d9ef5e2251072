//! The stack against the host's own: a TAP device in a network namespace of its own, and clients of the standard library.
//!
//! Each scenario runs in a child process (this test program again, inside `unshare --net`): the machine of a kernel is
//! installed once per process, and the namespace goes away with it.

mod machine;
mod scenarios;

use std::process::Command;

use machine::TapMachine;

/// Runs the ignored test of this name in a child with a network namespace of its own.
fn in_namespace(scenario: &str) {
    let me = std::env::current_exe().unwrap();
    let name = format!("net::tests::scenarios::{scenario}");
    let output = Command::new("unshare")
        .args(["--net", "--"])
        .arg(me)
        .args(["--exact", &name, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .expect("unshare(1) of util-linux");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{scenario}:\n{out}\n{err}");
    eprint!("{err}");
}

#[test]
fn echo_to_many_clients() {
    in_namespace("echo");
}

#[test]
fn bulk_data_both_ways() {
    in_namespace("bulk");
}

#[test]
fn connect_and_refusals() {
    in_namespace("connect");
}

#[test]
fn datagrams() {
    in_namespace("datagrams");
}

#[test]
fn ping_and_unknown_ports() {
    in_namespace("unknown");
}

#[test]
fn closing() {
    in_namespace("closing");
}

#[test]
fn rubbish_does_no_harm() {
    in_namespace("rubbish");
}
