use std::thread;

use crate::{Engine, Kind, eventually};

/// Output, input and exit statuses.
pub fn runs(engine: &Engine) {
    assert_eq!(engine.run(&[], &["echo", "hi"]).ok(), "hi");
    assert_eq!(engine.sh(&[], "echo out; echo err >&2").err.trim(), "err");
    engine.sh(&[], "exit 3").fails(3);
    let missing = engine.run(&[], &["nosuch"]).fails(127);
    assert!(missing.contains("not found in $PATH"), "{missing}");
    let missing = engine.run(&[], &["/no/such"]).fails(127);
    assert!(missing.contains("no such file or directory"), "{missing}");
    let denied = engine.run(&[], &["/etc/passwd"]).fails(126);
    assert!(denied.to_lowercase().contains("permission denied"), "{denied}");
    assert_eq!(engine.feed("typed\n", &engine.words(&["--rm", "-i"], &["cat"])).ok(), "typed");
    let long = engine.run(&[], &["sh", "-c", "yes 0123456789 | head -n 20000"]).ok();
    assert_eq!(long.len(), 20000 * 11 - 1);
    engine.assert_clean();
}

/// `create`, `start`, `wait`, `rm`; a container that was only created is removed too.
pub fn created_and_started(engine: &Engine) {
    let words = engine.words(&["--name", "one"], &["sh", "-c", "echo started; exit 4"]);
    engine.cli(&[&["create"], &words[1..]].concat()).ok();
    engine.cli(&["start", "-a", "one"]).fails(4);
    assert_eq!(engine.cli(&["wait", "one"]).ok(), "4");
    engine.cli(&["rm", "one"]).ok();
    let words = engine.words(&["--name", "two"], &["true"]);
    engine.cli(&[&["create"], &words[1..]].concat()).ok();
    engine.cli(&["rm", "two"]).ok();
    if engine.kind() == Kind::Podman {
        engine.cli(&[&["create"], &words[1..]].concat()).ok();
        engine.cli(&["init", "two"]).ok();
        engine.cli(&["rm", "-f", "two"]).ok();
    }
    engine.assert_clean();
}

/// Logs while it runs and after, restart, rename while it runs, `rm -f`.
pub fn logs_and_restart(engine: &Engine) {
    engine.detached("one", &[], "trap 'exit 0' TERM; echo begun; while :; do sleep 0.1; done");
    eventually("its log", 10, || engine.cli(&["logs", "one"]).ok() == "begun");
    engine.cli(&["restart", "-t", "5", "one"]).ok();
    eventually("its second log", 10, || engine.cli(&["logs", "one"]).ok() == "begun\nbegun");
    engine.cli(&["rename", "one", "two"]).ok();
    assert_eq!(engine.field("two", "{{.State.Status}}"), "running");
    engine
        .cli(
            &["rm", "-f", "-t", "0", "two"]
                .iter()
                .copied()
                .filter(|w| engine.kind() == Kind::Podman || !["-t", "0"].contains(w))
                .collect::<Vec<_>>(),
        )
        .ok();
    engine.cli(&["logs", "two"]).err.to_lowercase().find("no such container").expect("it is gone");
    engine.detached("again", &["--restart=on-failure:2"], "echo turn; exit 1");
    eventually("three turns", 20, || engine.cli(&["logs", "again"]).ok() == "turn\nturn\nturn");
    eventually("it stays stopped", 20, || engine.field("again", "{{.State.Status}}") == "exited");
    engine.cli(&["rm", "again"]).ok();
    engine.assert_clean();
}

/// Health checks are `exec`s that the engine makes.
pub fn health(engine: &Engine) {
    let interval = if engine.kind() == Kind::Podman { "--health-interval=disable" } else { "--health-interval=500ms" };
    let flags = ["--health-cmd=test -e /ok", interval, "--health-retries=1"];
    engine.detached("one", &flags, "sleep 100");
    let check = || engine.kind() == Kind::Docker || engine.cli(&["healthcheck", "run", "one"]).code >= 0;
    let field = |name: &str| engine.field(name, "{{.State.Health.Status}}");
    eventually("it is ill", 20, || check() && field("one") == "unhealthy");
    engine.cli(&["exec", "one", "touch", "/ok"]).ok();
    eventually("it is well", 20, || check() && field("one") == "healthy");
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}

/// Eight at once.
pub fn runs_at_once(engine: &Engine) {
    thread::scope(|scope| {
        for turn in 0..8 {
            scope.spawn(move || {
                let text = format!("turn {turn}");
                assert_eq!(engine.run(&[], &["echo", &text]).ok(), text);
            });
        }
    });
    engine.assert_clean();
}
