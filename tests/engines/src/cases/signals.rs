use std::thread::sleep;
use std::time::Duration;

use crate::{Engine, Kind, eventually, which};

/// `stop`, `kill` with several signals.
pub fn signals(engine: &Engine) {
    let script = "trap 'exit 9' TERM; trap 'echo one' USR1; echo ready; while :; do sleep 0.05; done";
    let code = |name: &str| engine.field(name, "{{.State.ExitCode}}");
    engine.detached("one", &[], script);
    eventually("it is ready", 10, || engine.cli(&["logs", "one"]).ok() == "ready");
    engine.cli(&["kill", "-s", "USR1", "one"]).ok();
    eventually("it was told", 10, || engine.cli(&["logs", "one"]).ok() == "ready\none");
    engine.cli(&["stop", "-t", "10", "one"]).ok();
    assert_eq!(code("one"), "9");
    engine.cli(&["start", "one"]).ok();
    engine.cli(&["kill", "one"]).ok();
    eventually("it ended", 10, || code("one") == "137");
    engine.cli(&["kill", "one"]).code.ne(&0).then_some(()).expect("a stopped container is not killed");
    engine.cli(&["rm", "one"]).ok();
    engine.detached("deaf", &["--stop-signal=INT"], "trap '' INT TERM; while :; do sleep 0.05; done");
    engine.cli(&["stop", "-t", "1", "deaf"]).ok();
    assert_eq!(code("deaf"), "137");
    engine.cli(&["rm", "deaf"]).ok();
    engine.assert_clean();
}

/// A paused container does nothing, is shown as paused, takes no program, and can be removed.
pub fn pause(engine: &Engine) {
    engine.detached("one", &[], "n=0; while :; do n=$((n+1)); echo $n >/n; sleep 0.02; done");
    let count = || engine.cli(&["cp", "one:/n", "-"]).out;
    engine.cli(&["pause", "one"]).ok();
    assert_eq!(engine.field("one", "{{.State.Status}}"), "paused");
    let before = count();
    sleep(Duration::from_millis(200));
    assert_eq!(before, count());
    assert_ne!(engine.cli(&["exec", "one", "true"]).code, 0, "no exec while it is paused");
    engine.cli(&["unpause", "one"]).ok();
    eventually("it goes on", 10, || count() != before);
    assert_eq!(engine.field("one", "{{.State.Status}}"), "running");
    engine.cli(&["pause", "one"]).ok();
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}

/// `--init`: a small first process that reaps; `top` and `stats`.
pub fn first_process(engine: &Engine) {
    let tini = which("docker-init").or_else(|| which("tini")).map(|path| path.display().to_string());
    let Some(tini) = tini else {
        eprintln!("SKIP: --init: neither docker-init nor tini is installed");
        return;
    };
    let path = format!("--init-path={tini}");
    let flags: &[&str] = if engine.kind() == Kind::Podman { &["--init", &path] } else { &["--init"] };
    engine.detached("one", flags, "(sleep 0.1 &); sleep 100");
    let first = engine.cli(&["exec", "one", "cat", "/proc/1/comm"]).ok();
    assert!(["docker-init", "tini", "catatonit", "podman-init"].contains(&first.as_str()), "{first}");
    eventually("its orphan is reaped", 10, || !engine.cli(&["exec", "one", "ps"]).ok().contains("Z"));
    let top = engine.cli(&["top", "one"]).ok();
    assert!(top.contains("sleep 100"), "{top}");
    let stats = engine.cli(&["stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", "one"]).ok();
    let pids = stats.split_whitespace().next().and_then(|n| n.parse::<u32>().ok());
    assert!(pids.is_some_and(|n| n >= 2), "{stats}");
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}
