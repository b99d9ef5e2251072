//! The process machine as a whole, with a kernel that does almost nothing. Needs root (namespaces, control groups).

mod common;

use common::{built, file, start};
use plan::{ExitStatus, FailureClass};
use unikernel::Error;

fn run(letter: u8, rewritten: bool) -> (ExitStatus, String) {
    start(&built().program, letter, rewritten).unwrap().end()
}

#[test]
fn a_program_runs_rewritten_and_trapped() {
    for rewritten in [true, false] {
        assert_eq!(run(b'h', rewritten), (ExitStatus::Exited(0), "hello\n".to_owned()), "rewritten: {rewritten}");
        assert_eq!(run(b'x', rewritten).0, ExitStatus::Exited(42));
    }
}

#[test]
fn registers_survive_a_call() {
    for rewritten in [true, false] {
        assert_eq!(run(b'r', rewritten).0, ExitStatus::Exited(0), "rewritten: {rewritten}");
    }
}

#[test]
fn no_instruction_of_the_application_reaches_the_host() {
    assert_eq!(run(b'i', false).0, ExitStatus::Exited(0));
    assert_eq!(run(b'i', true).0, ExitStatus::Exited(0));
}

#[test]
fn a_host_call_that_is_not_in_the_table_kills() {
    for letter in [b'g', b's', b'm'] {
        assert_eq!(run(letter, true).0, ExitStatus::Signaled(31), "{}", char::from(letter));
    }
}

#[test]
fn a_bad_pointer_is_an_error_and_a_bad_access_a_trap() {
    assert_eq!(run(b'f', true).0, ExitStatus::Exited(0));
    let (status, text) = run(b'z', true);
    assert_eq!((status, text.trim()), (ExitStatus::Exited(139), "trap: not mapped"));
}

#[test]
fn a_signal_reaches_a_program_that_computes() {
    let mut run = start(&built().program, b'w', true).unwrap();
    assert_eq!(run.read(), "spinning\n");
    assert_eq!(run.instance.try_wait().unwrap(), None);
    run.instance.signal(15).unwrap();
    assert_eq!(run.end().0, ExitStatus::Exited(128 + 15));
}

#[test]
fn a_null_call_costs_at_most_a_fifth_of_the_hosts() {
    let (_, unikernel) = run(b'n', true);
    let mut child = std::process::Command::new(&built().program);
    let native = {
        use std::io::Write as _;
        let mut child = child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"n").unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let (unikernel, native): (u64, u64) = (unikernel.parse().unwrap(), native.parse().unwrap());
    eprintln!("null call: {unikernel} cycles in the unikernel, {native} on the host");
    assert!(unikernel * 5 <= native, "{unikernel} cycles, {native} on the host");
}

#[test]
fn what_is_no_program_is_refused_with_its_class() {
    let script = file("script", b"#!/bin/sh\n");
    match start(&script, b'h', false).map(drop) {
        Err(error @ Error::Program { .. }) => assert_eq!(error.class(), FailureClass::NotExecutable),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_image_or_kernel_is_named() {
    let error = start(std::path::Path::new("/nonexistent/image"), b'h', false).map(drop).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/image"), "{error}");
    assert_eq!(error.class(), FailureClass::Engine);
}
