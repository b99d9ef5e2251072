//! Filters whose notifications somebody answers (seccomp_unotify(2)).

mod bundle;

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use bundle::Bundle;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::{Value, json};

/// What the agent is told, and the listener.
fn receive(agent: &UnixListener) -> (Value, OwnedFd) {
    let stream = agent.accept().unwrap().0;
    let mut text = [0; 8192];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut text)];
    let received = rustix::net::recvmsg(&stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let listener = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut all) => all.next(),
        _ => None,
    });
    (serde_json::from_slice(&text[..received.bytes]).unwrap(), listener.expect("a descriptor"))
}

fn with_agent(bundle: &mut Bundle) -> UnixListener {
    let path = bundle.directory.path().join("agent");
    let agent = UnixListener::bind(&path).unwrap();
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": path,
        "listenerMetadata": "for the test",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY" }],
    });
    agent
}

/// Whether the host knows this process by this number, as a member of the bundle's container.
fn runs(pid: i64, program: &str) -> bool {
    // The message may come before execve(2) has happened.
    (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(program.as_bytes()))
    })
}

#[test]
fn the_agent_gets_the_listener_and_the_state() {
    for promise in [true, false] {
        let mut bundle = Bundle::script("mkdir /tmp/x; true");
        bundle.config["process"]["noNewPrivileges"] = json!(promise);
        let agent = with_agent(&mut bundle);
        let child = bundle.command(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (state, listener) = receive(&agent);
        assert_eq!((&state["metadata"], &state["fds"]), (&json!("for the test"), &json!(["seccompFd"])));
        let id = std::fs::read_to_string(bundle.directory.path().join("id")).unwrap();
        assert_eq!((&state["pid"], &state["state"]["id"]), (&state["state"]["pid"], &json!(id)));
        assert!(runs(state["pid"].as_i64().unwrap(), "sh\0"), "{state}");
        // Without a listener the call does not exist.
        drop(listener);
        let output = child.wait_with_output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("Function not implemented"), "{output:?}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_further_program_has_a_listener_of_its_own() {
    let mut bundle = Bundle::new(&["sleep", "60"]);
    let agent = with_agent(&mut bundle);
    bundle.start();
    let (first, _first_listener) = receive(&agent);
    let further = std::thread::scope(|scope| {
        let told = scope.spawn(|| {
            let (state, listener) = receive(&agent);
            assert!(runs(state["pid"].as_i64().unwrap(), "cat\0") || state["pid"] != state["state"]["pid"]);
            drop(listener);
            state
        });
        let output = bundle.exec(&["cat", "/proc/self/status"], json!({}));
        assert!(output.status.success(), "{output:?}");
        told.join().unwrap()
    });
    assert_eq!(further["state"]["pid"], first["pid"]);
    assert_ne!(further["pid"], first["pid"]);
}

#[test]
fn nobody_who_listens() {
    let mut bundle = Bundle::new(&["true"]);
    drop(with_agent(&mut bundle));
    let errors = bundle.fails(125);
    assert!(errors.contains("linux.seccomp.listenerPath"), "{errors}");
    bundle.config["linux"]["seccomp"].as_object_mut().unwrap().remove("listenerPath");
    bundle.config["linux"]["seccomp"].as_object_mut().unwrap().remove("listenerMetadata");
    assert!(bundle.fails(125).contains("SCMP_ACT_NOTIFY needs listenerPath"));
}
