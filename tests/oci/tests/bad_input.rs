//! Bad input: a clear error, the right exit status, and nothing left behind.

use oci_tests::{Bundle, Runtime};
use serde_json::{Value, json};

/// Creates a container that must be refused, and returns what was said.
#[track_caller]
fn refused(runtime: &Runtime, bundle: &Bundle, what: &str) -> String {
    let id = runtime.id();
    let done = runtime.create(bundle, &id);
    assert_eq!(done.status, 1, "{what}: {}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{what}: {}", done.stderr);
    assert_eq!(runtime.leftovers(&id), Vec::<std::path::PathBuf>::new(), "{what}");
    done.stderr
}

/// Fields, a value that each cannot have, and a word that the error must contain.
fn wrong_fields() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/ociVersion", json!(1), "ociVersion"),
        ("/ociVersion", json!("2.0.0"), "unknown version '2.0.0'"),
        ("/process/args", json!([]), "process.args"),
        ("/process/args", json!("sh"), "process.args"),
        ("/process/args", json!(["nosuch"]), "executable file not found in $PATH"),
        ("/process/args", json!(["/etc"]), "permission denied"),
        ("/process/args", json!(["/bin/nosuch"]), "no such file or directory"),
        ("/process/args", json!(["a\u{0}b"]), "zero byte"),
        ("/process/cwd", json!("tmp"), "process.cwd"),
        ("/process/cwd", json!(""), "process.cwd"),
        ("/process/user/uid", json!(-1), "process.user.uid"),
        ("/process/user/uid", json!(4294967295u32), "process.user"),
        ("/process/user/gid", json!(1u64 << 32), "process.user.gid"),
        ("/process/user/additionalGids", json!(["wheel"]), "additionalGids"),
        ("/process/rlimits", json!([{ "type": "RLIMIT_X", "soft": 1, "hard": 1 }]), "process.rlimits"),
        ("/process/ioPriority", json!({ "class": "X", "priority": 0 }), "ioPriority"),
        ("/process/scheduler", json!({ "policy": "SCHED_X" }), "scheduler"),
        ("/root/path", json!("nosuch"), "no such file or directory"),
        ("/root/path", json!("config.json"), "not a directory"),
        ("/root/path", json!(""), "root.path"),
        ("/root", Value::Null, "root"),
        ("/hostname", json!("x".repeat(65)), "hostname"),
        ("/mounts", json!([{ "type": "tmpfs" }]), "destination"),
        ("/mounts", json!([{ "destination": "/x", "type": "nosuchfs", "source": "x" }]), "/x"),
        ("/mounts", json!([{ "destination": "/x", "source": "/nosuch", "options": ["bind"] }]), "/nosuch"),
        ("/mounts", json!([{ "destination": "/x", "type": "tmpfs", "source": "x", "options": ["size=no"] }]), "/x"),
        ("/linux", Value::Null, "linux"),
        ("/linux/namespaces", json!([{ "type": "nope" }]), "linux.namespaces"),
        ("/linux/namespaces", json!([{ "type": "mount" }, { "type": "mount" }]), "twice"),
        (
            "/linux/namespaces",
            json!([{ "type": "mount" }, { "type": "uts" }, { "type": "network", "path": "/nosuch" }]),
            "/nosuch",
        ),
        (
            "/linux/namespaces",
            json!([{ "type": "mount" }, { "type": "uts" }, { "type": "network", "path": "/etc/passwd" }]),
            "enter a namespace",
        ),
        ("/linux/uidMappings", json!([{ "containerID": 0, "hostID": 0, "size": 1 }]), "user namespace"),
        ("/linux/cgroupsPath", json!("/a/../b"), "'..'"),
        ("/linux/cgroupsPath", json!("/"), "names no group"),
        ("/linux/sysctl", json!({ "kernel.panic": "1" }), "kernel.panic"),
        ("/linux/sysctl", json!({ "net.ipv4.nosuch": "1" }), "no such file or directory"),
        ("/linux/resources", json!({ "memory": { "limit": "1G" } }), "memory.limit"),
        ("/linux/resources", json!({ "cpu": { "cpus": "4000" } }), "cpu.cpus"),
        ("/linux/resources", json!({ "cpu": { "quota": 1 } }), "cpu.quota"),
        ("/linux/resources", json!({ "devices": [{ "allow": true, "access": "z" }] }), "access"),
        ("/linux/devices", json!([{ "path": "x", "type": "c", "major": 1, "minor": 3 }]), "linux.devices"),
        ("/linux/seccomp", json!({ "defaultAction": "NOPE" }), "defaultAction"),
        ("/linux/rootfsPropagation", json!("nope"), "rootfsPropagation"),
        ("/linux/maskedPaths", json!(["x"]), "maskedPaths"),
        ("/linux/personality", json!({ "domain": "LINUX99" }), "personality"),
        ("/linux/timeOffsets", json!({ "monotonic": { "secs": 1 } }), "time namespace"),
        ("/hooks", json!({ "createRuntime": [{ "path": "/nosuch" }] }), "/nosuch"),
        ("/hooks", json!({ "createRuntime": [{ "path": "nosuch" }] }), "absolute"),
        ("/hooks", json!({ "prestart": [{ "path": "/bin/false" }] }), "prestart"),
        (
            "/hooks",
            json!({ "createRuntime": [{ "path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1 }] }),
            "1 s",
        ),
        ("/hooks", json!({ "createRuntime": [{ "path": "/bin/true", "timeout": 0 }] }), "timeout"),
        ("/annotations", json!({ "dev.coracle.isolation": "none" }), "dev.coracle.isolation"),
    ]
}

#[test]
fn fields_of_the_configuration() {
    let runtime = Runtime::new();
    for (field, value, word) in wrong_fields() {
        let mut bundle = Bundle::new("true");
        let (parent, name) = field.rsplit_once('/').expect("a pointer");
        let what = format!("{field} = {value}");
        bundle.config.pointer_mut(parent).expect("a field of the example")[name] = value;
        let said = refused(&runtime, &bundle, &what);
        assert!(said.contains(word), "{what}: {said}");
    }
}

#[test]
fn text_that_is_no_configuration() {
    let runtime = Runtime::new();
    let texts: [&[u8]; 8] = [b"", b"{", b"null", b"[]", b"\"x\"", b"{}", b"\xff\xfe", b"{\"ociVersion\":\"1.0.2\",}"];
    for text in texts {
        let bundle = Bundle::new("true");
        bundle.write();
        std::fs::write(bundle.path().join("config.json"), text).expect("our directory");
        let id = runtime.id();
        let done = runtime.call(&["create", "--bundle", bundle.path().to_str().expect("text"), &id]);
        assert!(done.status == 1 && done.stderr.contains("config.json"), "{done:?}");
        assert!(runtime.leftovers(&id).is_empty());
    }
}

#[test]
fn missing_things() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("true"));
    bundle.write();
    let path = bundle.path().to_str().expect("text");
    let id = runtime.id();
    let none = runtime.call(&["create", "--bundle", "/nosuch", &id]);
    assert!(none.status == 1 && none.stderr.contains("no such file or directory"), "{none:?}");
    let id = runtime.id();
    let config = runtime.call(&["create", "--bundle", path, "--config", "/nosuch.json", &id]);
    assert!(config.status == 1 && config.stderr.contains("/nosuch.json"), "{config:?}");
    let id = runtime.id();
    let socket = runtime.call(&["create", "--bundle", path, "--console-socket", "/nosuch.sock", &id]);
    assert!(socket.status == 1 && socket.stderr.contains("console-socket"), "{socket:?}");
    let id = runtime.id();
    let pid_file = runtime.call(&["create", "--bundle", path, "--pid-file", "/nosuch/pid", &id]);
    assert!(pid_file.status == 1 && pid_file.stderr.contains("/nosuch/pid"), "{pid_file:?}");
    assert!(runtime.leftovers(&id).is_empty());
    let mut terminal = Bundle::new("true");
    terminal.config["process"]["terminal"] = json!(true);
    let said = refused(&runtime, &terminal, "a terminal for nobody");
    assert!(said.contains("--console-socket"), "{said}");
}

#[test]
fn names() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("true"));
    let long = "x".repeat(256);
    for name in ["", ".", "..", "a/b", "../x", "a..b", "a b", "ü", &long] {
        let done = runtime.create(&bundle, name);
        assert!(done.status == 1 && done.stderr.contains("container id"), "{name}: {done:?}");
    }
    let longest = format!("{}{}", runtime.id(), "x".repeat(200));
    assert_eq!(runtime.create(&bundle, &longest).status, 0, "a path that is too long for a socket's address");
    runtime.call(&["start", &longest]).ok();
    runtime.delete(&longest).ok();
    assert!(runtime.leftovers(&longest).is_empty());
    for command in ["state", "start", "kill", "delete", "pause", "resume", "events", "ps"] {
        let done = runtime.call(&[command, "nosuch"]);
        assert!(done.status == 1 && done.stderr.contains("does not exist"), "{command}: {done:?}");
    }
}

#[test]
fn two_creates_of_one_name() {
    let (runtime, bundle) = (Runtime::new(), Bundle::new("exec sleep 1000"));
    bundle.write();
    let id = runtime.id();
    let path = bundle.path().to_str().expect("text");
    let create = || {
        let mut command = runtime.command(&["create", "--bundle", path, &id]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("the runtime")
    };
    let mut children: Vec<_> = (0..8).map(|_| create()).collect();
    let good = children.iter_mut().filter_map(|child| child.wait().ok()).filter(|status| status.success()).count();
    assert_eq!(good, 1, "exactly one of them makes the container");
    let taken = runtime.create(&bundle, &id);
    assert!(taken.status == 1 && taken.stderr.contains("already exists"), "{taken:?}");
    runtime.call(&["start", &id]).ok();
    runtime.delete(&id).ok();
    assert!(runtime.leftovers(&id).is_empty());
}

#[test]
fn usage_errors_reach_the_log() {
    let runtime = Runtime::new();
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let log_flag = format!("--log={}", log.display());
    for args in
        [&["create", "--nosuch", "x"][..], &["nosuch"], &["state"], &["kill", "x", "NOSUCH"], &["state", "nosuch"]]
    {
        let _ = std::fs::remove_file(&log);
        let done = runtime.call(&[&[&*log_flag, "--log-format=json"], args].concat());
        assert_eq!(done.status, 1, "{args:?}: {done:?}");
        let text = std::fs::read_to_string(&log).expect("a log");
        let entry: Value = serde_json::from_str(&text).expect("one JSON object, as Podman reads it");
        assert_eq!(entry["level"], "error");
        assert!(entry["msg"].is_string() && entry["time"].is_string(), "{text}");
    }
}

#[test]
fn a_full_disk() {
    let runtime = Runtime::new();
    let directory = tempfile::tempdir().expect("a directory");
    let bundle = Bundle::new("true");
    bundle.write();
    let script = "mount -t tmpfs -o size=4k,nr_inodes=3 none \"$1\" && exec \"$2\" --root \"$1/state\" create --bundle \"$3\" full";
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(directory.path()).arg(runtime.program()).arg(bundle.path());
    let done = oci_tests::Done::from(command.stdin(std::process::Stdio::null()).output().expect("unshare"));
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.stderr.contains("no space left on device"), "{done:?}");
    assert!(runtime.leftovers("full").is_empty());
}
