//! The empty container, looked at from inside and from outside. Needs root and the package `busybox-static`.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use jail::{Attach, EmptyContainer, Error, Spawned, Stage, Volume, seccomp};
use rustix::process::{Resource, Rlimit, Signal, WaitId, WaitIdOptions};

const NOBODY: u32 = 60_123;

fn busybox() -> File {
    File::open("/bin/busybox").expect("install the package busybox-static")
}

fn container<'a>(program: &'a File, args: &[&str], fds: &'a [(BorrowedFd<'a>, i32)]) -> EmptyContainer<'a> {
    EmptyContainer {
        program: program.as_fd(),
        args: args.iter().map(|a| CString::new(*a).unwrap()).collect(),
        env: vec![c"MARK=1".to_owned()],
        fds,
        volumes: &[],
        uid: NOBODY,
        gid: NOBODY,
        rlimits: &[(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) })],
        attach: Attach::default(),
        seccomp: None,
    }
}

fn reap(spawned: &Spawned) -> i32 {
    let status = rustix::process::waitid(WaitId::PidFd(spawned.pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    status.exit_status().unwrap_or(-1)
}

/// Runs an applet with standard output and error in a pipe; returns exit code and output.
fn run(args: &[&str], volumes: &[Volume<'_>]) -> (i32, String) {
    let (program, (reader, writer)) = (busybox(), rustix::pipe::pipe().unwrap());
    let fds = [(writer.as_fd(), 1), (writer.as_fd(), 2)];
    let spawned = EmptyContainer { volumes, ..container(&program, args, &fds) }.spawn().unwrap();
    drop(writer);
    let mut output = String::new();
    File::from(reader).read_to_string(&mut output).unwrap();
    (reap(&spawned), output)
}

#[test]
fn there_is_nothing_inside() {
    assert_eq!(run(&["ls", "-A", "/"], &[]), (0, String::new()));
    assert_eq!(run(&["id", "-u"], &[]), (0, format!("{NOBODY}\n")));
    assert_eq!(run(&["hostname"], &[]), (0, "coracle\n".to_owned()));
    let (code, output) = run(&["touch", "/file"], &[]);
    assert!(code == 1 && output.contains("Read-only file system"), "{code} {output}");
}

#[test]
fn outside_sees_no_privilege_and_no_other_descriptor() {
    let (program, null) = (busybox(), File::open("/dev/null").unwrap());
    let fds = [(null.as_fd(), 0), (program.as_fd(), 7)];
    let spawned = container(&program, &["sleep", "30"], &fds).spawn().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", spawned.pid)).unwrap();
    let mut open: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", spawned.pid))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", spawned.pid)).unwrap();
    rustix::process::pidfd_send_signal(&spawned.pidfd, Signal::KILL).unwrap();
    reap(&spawned);
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "NSpid:"] {
        assert!(status.contains(line), "{line} is missing in {status}");
    }
    assert!(status.contains(&format!("NSpid:\t{}\t1", spawned.pid)), "not process 1 of its namespace: {status}");
    assert_eq!(open, ["0", "7"]);
    assert!(limits.lines().any(|l| l.starts_with("Max open files") && l.contains(" 64 ")), "{limits}");
}

#[test]
fn volumes_belong_to_the_user_inside() {
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("secret"), "of root").unwrap();
    std::fs::set_permissions(host.path().join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let source = File::open(host.path()).unwrap();
    let volume = |read_only| [Volume { source: source.as_fd(), path: "volumes/0", read_only, map_ids: true }];
    assert_eq!(run(&["cat", "/volumes/0/secret"], &volume(false)), (0, "of root".to_owned()));
    assert_eq!(run(&["touch", "/volumes/0/new"], &volume(false)).0, 0);
    let made = std::fs::metadata(host.path().join("new")).unwrap();
    assert_eq!((made.uid(), made.gid()), (0, 0));
    let (code, output) = run(&["touch", "/volumes/0/other"], &volume(true));
    assert!(code == 1 && output.contains("Read-only"), "{output}");
    let file = File::open(host.path().join("secret")).unwrap();
    let single = [Volume { source: file.as_fd(), path: "file", read_only: true, map_ids: true }];
    assert_eq!(run(&["cat", "/file"], &single), (0, "of root".to_owned()));
}

#[test]
fn failures_name_their_stage_and_leave_no_process() {
    let text = File::open("/etc/passwd").unwrap();
    let error = container(&text, &["x"], &[]).spawn().unwrap_err();
    assert!(matches!(error, Error::Stage { stage: Stage::Exec, .. }), "{error:?}");
    let program = busybox();
    let mut refuse = |_pid: i32| Err("no group".into());
    let attach = Attach { into: None, add: Some(&mut refuse) };
    let error = EmptyContainer { attach, ..container(&program, &["true"], &[]) }.spawn().unwrap_err();
    assert!(matches!(error, Error::Attach(_)), "{error:?}");
    let bad = [Volume { source: text.as_fd(), path: "../up", read_only: true, map_ids: false }];
    let error = EmptyContainer { volumes: &bad, ..container(&program, &["true"], &[]) }.spawn().unwrap_err();
    assert!(matches!(error, Error::VolumePath(_)), "{error:?}");
}

#[test]
fn the_program_waits_for_its_control_group() {
    let program = busybox();
    let mut seen = None;
    let mut add = |pid: i32| {
        seen = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
        Ok(())
    };
    let attach = Attach { into: None, add: Some(&mut add) };
    let spawned = EmptyContainer { attach, ..container(&program, &["true"], &[]) }.spawn().unwrap();
    assert_eq!(reap(&spawned), 0);
    assert!(seen.is_some_and(|comm| !comm.contains("true") && !comm.contains("busybox")));
}

#[test]
fn the_filter_is_in_force() {
    let (program, filter) = (busybox(), seccomp::container_default().unwrap());
    // `busybox unshare` needs a call that the profile refuses; `true` does not.
    let spawned = EmptyContainer { seccomp: Some(&filter), ..container(&program, &["true"], &[]) }.spawn().unwrap();
    assert_eq!(reap(&spawned), 0);
    let spawned =
        EmptyContainer { seccomp: Some(&filter), ..container(&program, &["sleep", "30"], &[]) }.spawn().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", spawned.pid)).unwrap();
    rustix::process::pidfd_send_signal(&spawned.pidfd, Signal::KILL).unwrap();
    reap(&spawned);
    assert!(status.contains("Seccomp:\t2"), "{status}");
}
