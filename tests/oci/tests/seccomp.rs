//! `linux.seccomp` of real bundles: what a program sees of its filter.

use std::fs;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use oci_tests::{Bundle, Runtime, compile};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

/// Makes the calls that its arguments number, with one argument each, and prints the results and error numbers. A handler
/// tells of `SIGSYS`.
const PROBE: &str = r#"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static void trapped(int signal) { (void)signal; static const char text[] = "trapped\n"; write(1, text, sizeof text - 1); }
int main(int argc, char **argv)
{
	signal(SIGSYS, trapped);
	for (int i = 1; i + 1 < argc; i += 2) {
		errno = 0;
		long result = syscall(strtoul(argv[i], 0, 0), strtoul(argv[i + 1], 0, 0), 0, 0, 0, 0, 0);
		printf("%s\n", result < 0 ? strerrorname_np(errno) : "done");
		fflush(stdout);
	}
}
"#;

/// A bundle that makes calls under a filter.
fn probe(seccomp: Value, calls: &[(i64, u64)]) -> Bundle {
    let mut bundle = Bundle::new("");
    let source = format!("#define _GNU_SOURCE\n{PROBE}");
    compile(&source, &bundle.inside("probe"));
    let words = calls.iter().flat_map(|(number, arg)| [number.to_string(), arg.to_string()]);
    let args: Vec<_> = ["/probe".to_owned()].into_iter().chain(words).collect();
    bundle.config["process"]["args"] = json!(args);
    bundle.config["linux"]["seccomp"] = seccomp;
    bundle
}

const GETPRIORITY: i64 = 140;
const PERSONALITY: i64 = 135;
const SYNC: i64 = 162;
const NONEXISTENT: i64 = 1000;

fn deny(name: &str, action: &str, extra: Value) -> Value {
    let mut rule = json!({ "names": [name], "action": action });
    rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [rule] })
}

#[test]
fn actions_have_their_effect() {
    let runtime = Runtime::new();
    let run = |seccomp| runtime.run(&probe(seccomp, &[(GETPRIORITY, 0), (SYNC, 0)]));
    assert_eq!(run(deny("getpriority", "SCMP_ACT_ERRNO", json!({}))).ok(), "EPERM\ndone\n");
    assert_eq!(run(deny("getpriority", "SCMP_ACT_ERRNO", json!({ "errnoRet": 18 }))).ok(), "EXDEV\ndone\n");
    assert_eq!(run(deny("getpriority", "SCMP_ACT_LOG", json!({}))).ok(), "done\ndone\n");
    assert_eq!(run(deny("getpriority", "SCMP_ACT_TRACE", json!({}))).ok(), "ENOSYS\ndone\n");
    assert!(run(deny("getpriority", "SCMP_ACT_TRAP", json!({}))).ok().starts_with("trapped\n"));
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"] {
        let done = run(deny("getpriority", action, json!({})));
        assert_eq!((done.status, done.stdout.as_str()), (128 + 31, ""), "{action}: {done:?}");
    }
}

#[test]
fn a_strict_profile_with_arguments_holds_for_all_processes() {
    let runtime = Runtime::new();
    let arg = |value: u64, op: &str| json!([{ "index": 0, "value": value, "valueTwo": 8, "op": op }]);
    let rule =
        |args: Value| json!({ "names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18, "args": args });
    for (op, value, refused) in [
        ("SCMP_CMP_EQ", 8, [false, true, false]),
        ("SCMP_CMP_NE", 8, [true, false, true]),
        ("SCMP_CMP_GT", 8, [false, false, true]),
        ("SCMP_CMP_GE", 8, [false, true, true]),
        ("SCMP_CMP_LT", 8, [true, false, false]),
        ("SCMP_CMP_LE", 8, [true, true, false]),
        ("SCMP_CMP_MASKED_EQ", 0xff, [false, true, false]),
    ] {
        let seccomp = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(arg(value, op))] });
        let calls = [(PERSONALITY, 0), (PERSONALITY, 8), (PERSONALITY, 0xffff_ffff)];
        let expected: String = refused.iter().map(|refused| if *refused { "EXDEV\n" } else { "done\n" }).collect();
        assert_eq!(runtime.run(&probe(seccomp, &calls)).ok(), expected, "{op}");
    }
}

#[test]
fn a_joining_process_has_the_same_filter() {
    let runtime = Runtime::new();
    let mut bundle = probe(deny("getpriority", "SCMP_ACT_ERRNO", json!({})), &[]);
    bundle.config["process"]["args"] = json!(["/bin/sleep", "100"]);
    let id = runtime.start(&bundle);
    assert_eq!(runtime.exec(&id, &["/probe", &GETPRIORITY.to_string(), "0"]).ok(), "EPERM\n");
    let status = runtime.exec(&id, &["grep", "Seccomp:", "/proc/self/status"]).ok();
    assert_eq!(status, "Seccomp:\t2\n");
}

/// Podman's profile admits a shell and refuses keyrings; a number that nobody knows is "not implemented".
#[test]
fn podmans_profile_runs_programs() {
    let Ok(text) = fs::read_to_string("/usr/share/containers/seccomp.json") else {
        println!("SKIP: /usr/share/containers/seccomp.json is not installed");
        return;
    };
    let profile: Value = serde_json::from_str(&text).unwrap();
    let applies = |rule: &&Value| {
        let list = |side: &str, key: &str| rule[side][key].as_array().cloned().unwrap_or_default();
        let archs = list("includes", "arches");
        (archs.is_empty() || archs.contains(&json!("amd64")))
            && [list("includes", "caps"), list("excludes", "caps"), list("excludes", "arches")]
                .iter()
                .all(Vec::is_empty)
    };
    let part = |rule: &Value| {
        json!({
            "names": rule["names"], "action": rule["action"], "errnoRet": rule["errnoRet"], "args": rule["args"],
        })
    };
    let rules: Vec<_> = profile["syscalls"].as_array().unwrap().iter().filter(applies).map(part).collect();
    let seccomp = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": rules,
    });
    let runtime = Runtime::new();
    let calls = [(GETPRIORITY, 0), (NONEXISTENT, 0), (320, 0)];
    assert_eq!(runtime.run(&probe(seccomp.clone(), &calls)).ok(), "done\nENOSYS\nEPERM\n");
    let mut bundle = Bundle::new("ls / | grep -c bin; (echo piped | cat)");
    bundle.config["linux"]["seccomp"] = seccomp;
    assert_eq!(runtime.run(&bundle).ok(), "1\npiped\n");
}

/// Without `noNewPrivileges` the filter is installed while the process still has its privileges.
#[test]
fn a_filter_needs_no_no_new_privileges() {
    let runtime = Runtime::new();
    let mut bundle = probe(deny("getpriority", "SCMP_ACT_ERRNO", json!({})), &[(GETPRIORITY, 0)]);
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    assert_eq!(runtime.run(&bundle).ok(), "EPERM\n");
}

/// The agent of `listenerPath` gets the state and the listener, for the first process and for one that joins.
#[test]
fn the_agent_gets_the_listener() {
    let runtime = Runtime::new();
    let mut bundle = probe(Value::Null, &[]);
    let path = bundle.path().join("agent.sock");
    let socket = UnixListener::bind(&path).unwrap();
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "for the agent",
        "syscalls": [{ "names": ["getpriority"], "action": "SCMP_ACT_NOTIFY" }],
    });
    bundle.config["process"]["args"] = json!(["/bin/sleep", "100"]);
    let (id, first) = std::thread::scope(|scope| {
        let agent = scope.spawn(|| receive(&socket));
        (runtime.start(&bundle), agent.join().unwrap())
    });
    assert_eq!(first["metadata"], "for the agent", "{first}");
    assert_eq!(first["fds"], json!(["seccompFd"]), "{first}");
    assert_eq!(first["state"]["id"], json!(id), "{first}");
    let pid = first["pid"].as_u64().unwrap();
    assert!(fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap().contains("sleep"), "{first}");
    let mut command = runtime.command(&["exec", &id, "true"]);
    let mut joining = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let second = receive(&socket);
    assert!(joining.wait().unwrap().success());
    assert_eq!(second["state"]["id"], json!(id), "{second}");
    assert_ne!(second["pid"], first["pid"], "{second}");
}

/// The state that comes with one descriptor.
fn receive(socket: &UnixListener) -> Value {
    let (connection, _) = socket.accept().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; 65536];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let length = recvmsg(&connection, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap().bytes;
    let rights = ancillary.drain().any(|message| matches!(message, RecvAncillaryMessage::ScmRights(_)));
    assert!(rights, "no descriptor came");
    serde_json::from_slice(&bytes[..length]).unwrap()
}

#[test]
fn wrong_filters_are_refused() {
    let runtime = Runtime::new();
    let cases = [
        (deny("getpriority", "SCMP_ACT_MAGIC", json!({})), "SCMP_ACT_MAGIC"),
        (deny("getpriority", "SCMP_ACT_ALLOW", json!({ "errnoRet": 1 })), "errnoRet"),
        (deny("getpriority", "SCMP_ACT_NOTIFY", json!({})), "listenerPath"),
        (deny("write", "SCMP_ACT_NOTIFY", json!({})), "write"),
        (
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_MAGIC"] }),
            "SECCOMP_FILTER_FLAG_MAGIC",
        ),
        (json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"] }), "SCMP_ARCH_VAX"),
        (
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_TRAP",
            "args": [{ "index": 9, "value": 0, "op": "SCMP_CMP_EQ" }] }] }),
            "argument 9",
        ),
        (json!({}), "defaultAction"),
    ];
    for (seccomp, word) in cases {
        let mut bundle = Bundle::new("echo ran");
        bundle.config["linux"]["seccomp"] = seccomp.clone();
        let done = runtime.run(&bundle);
        assert!(done.status != 0 && done.stdout.is_empty(), "{seccomp}: {done:?}");
        assert!(done.stderr.contains(word), "{seccomp}: {done:?}");
    }
}
