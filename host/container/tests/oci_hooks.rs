//! Hooks: when, where and with what they run.

mod bundle;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bundle::Bundle;
use serde_json::{Value, json};

/// A script on the host that notes its name, its state and what `see` prints.
fn hook(bundle: &Bundle, name: &str, see: &str) -> PathBuf {
    let path = bundle.directory.path().join(name);
    let log = bundle.directory.path().join("log");
    let script = format!("#!/bin/sh\n{{ echo \"$0 $* [$VARIABLE]\"; cat; echo; {see}; }} >> {} 2>&1\n", log.display());
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

fn entry(path: &Path) -> Value {
    json!({ "path": path, "args": ["name", "argument"], "env": ["VARIABLE=value", "PATH=/bin:/usr/bin"], "timeout": 10 })
}

fn log(bundle: &Bundle) -> String {
    std::fs::read_to_string(bundle.directory.path().join("log")).unwrap_or_default()
}

fn states(bundle: &Bundle) -> Vec<Value> {
    log(bundle).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn the_points_of_creation_come_in_order_with_their_state() {
    let mut bundle = Bundle::script("echo program");
    bundle.config["annotations"] = json!({ "org.example.key": "value" });
    let net = "readlink /proc/self/ns/net";
    let prestart = hook(&bundle, "prestart", net);
    let create_runtime = hook(&bundle, "create-runtime", net);
    let create_container = hook(&bundle, "create-container", net);
    bundle.config["hooks"] = json!({
        "prestart": [entry(&prestart)],
        "createRuntime": [entry(&create_runtime)],
        "createContainer": [entry(&create_container)],
    });
    assert_eq!(bundle.stdout(), "program\n");
    let text = log(&bundle);
    let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("{name} did not run: {text}"));
    assert!(at("/prestart") < at("/create-runtime") && at("/create-runtime") < at("/create-container"), "{text}");
    assert!(text.contains("argument [value]"), "{text}");
    let states = states(&bundle);
    let id = std::fs::read_to_string(bundle.directory.path().join("id")).unwrap();
    for state in &states {
        assert_eq!((&state["status"], state["id"].as_str().unwrap()), (&json!("creating"), id.as_str()), "{state}");
        assert_eq!(state["ociVersion"], "1.2.0");
        assert_eq!(state["bundle"], json!(bundle.directory.path()));
        assert_eq!(state["annotations"]["org.example.key"], "value");
    }
    // Runtime hooks see the process from the host, the container's own as it sees itself.
    assert!(states[0]["pid"].as_i64().unwrap() > 1 && states[0]["pid"] == states[1]["pid"]);
    assert_eq!(states[2]["pid"], 1);
    let own = std::fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap().to_owned();
    let namespaces: Vec<&str> = text.lines().filter(|line| line.starts_with("net:")).collect();
    assert_eq!(namespaces[..2], [own.as_str(), own.as_str()]);
    assert_ne!(namespaces[2], own);
}

#[test]
fn start_container_runs_inside_at_start() {
    let mut bundle = Bundle::script("cat /tmp/seen; sleep 60");
    bundle.add_program(
        "bin/inside",
        b"#!/bin/sh\ncat > /tmp/seen; test -d /not-of-this-root || echo >> /tmp/seen\n",
        0o755,
    );
    bundle.config["hooks"] = json!({ "startContainer": [{ "path": "/bin/inside", "env": ["PATH=/bin"] }] });
    let seen = bundle.inside("tmp/seen");
    let run = |word: &str| {
        let status =
            bundle.command(&[word]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
        assert!(status.unwrap().success(), "{word}");
    };
    run("create");
    assert!(!seen.exists(), "a hook of the start ran at the creation");
    run("start");
    let state: Value = serde_json::from_str(&std::fs::read_to_string(seen).unwrap()).unwrap();
    assert_eq!((&state["status"], &state["pid"]), (&json!("created"), &json!(1)));
}

#[test]
fn a_hook_that_fails_ends_the_container() {
    for point in ["prestart", "createRuntime", "createContainer", "startContainer"] {
        let mut bundle = Bundle::script("echo program");
        bundle.config["hooks"] = json!({ point: [{ "path": "/bin/false" }] });
        let output = bundle.run();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{point}: {errors}");
        assert!(output.stdout.is_empty(), "{point}: the program ran");
        assert!(errors.contains(point), "{point}: {errors}");
    }
}

#[test]
fn a_hook_that_takes_too_long_is_killed() {
    let mut bundle = Bundle::script("echo program");
    bundle.config["hooks"] =
        json!({ "createRuntime": [{ "path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1 }] });
    let start = std::time::Instant::now();
    let errors = bundle.fails(125);
    assert!(errors.contains("took longer than 1 s"), "{errors}");
    assert!(start.elapsed().as_secs() < 30);
}

#[test]
fn a_missing_hook_is_named() {
    let mut bundle = Bundle::script("echo program");
    bundle.config["hooks"] = json!({ "prestart": [{ "path": "/does/not/exist" }] });
    let errors = bundle.fails(125);
    assert!(errors.contains("/does/not/exist") && errors.contains("No such file"), "{errors}");
}

/// A hook that reads nothing must not end its runner (`SIGPIPE`), and all of `poststop` run whatever the others do.
#[test]
fn hooks_after_the_end() {
    use oci_spec::runtime::{Hook, State};
    let directory = tempfile::tempdir().unwrap();
    let touched = directory.path().join("touched");
    let hooks: Vec<Hook> = serde_json::from_value(json!([
        { "path": "/bin/false" },
        { "path": "/bin/touch", "args": ["touch", touched] },
    ]))
    .unwrap();
    let mut state = State::default();
    state.set_annotations(Some([("large".to_owned(), "x".repeat(300_000))].into()));
    let errors = container::hooks::run_all("poststop", &hooks, &state);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("poststop"));
    assert!(touched.exists());
}
