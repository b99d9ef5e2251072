use crate::{Engine, Kind};

const MEMORY: [&str; 2] = ["memory.limit_in_bytes", "memory.max"];
const RESERVATION: [&str; 2] = ["memory.soft_limit_in_bytes", "memory.low"];
const QUOTA: [&str; 2] = ["cpu.cfs_quota_us", "cpu.max"];
const SHARES: [&str; 2] = ["cpu.shares", "cpu.weight"];

/// Limits as the control group's files show them.
pub fn limits(engine: &Engine) {
    let flags = [
        "--memory=64m",
        "--memory-reservation=32m",
        "--pids-limit=20",
        "--cpu-period=50000",
        "--cpu-quota=25000",
        "--cpu-shares=512",
        "--cpuset-cpus=0",
    ];
    let id = engine.detached("one", &flags, "sleep 100");
    assert_eq!(engine.limit(&id, &MEMORY), "67108864");
    assert_eq!(engine.limit(&id, &RESERVATION), "33554432");
    assert_eq!(engine.limit(&id, &["pids.max"]), "20");
    assert!(["25000", "25000 50000"].contains(&engine.limit(&id, &QUOTA).as_str()));
    assert!(["512", "20"].contains(&engine.limit(&id, &SHARES).as_str()));
    assert_eq!(engine.limit(&id, &["cpuset.cpus"]), "0");
    assert_eq!(engine.cli(&["exec", "one", "nproc"]).ok(), "1");
    let many = engine.cli(&[
        "exec",
        "one",
        "sh",
        "-c",
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do sleep 1 & done",
    ]);
    assert!(many.err.contains("fork"), "{many:?}");
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}

/// The kernel's end of a program that wants too much.
pub fn out_of_memory(engine: &Engine) {
    let words = engine.words(&["--name=one", "--memory=16m", "--memory-swap=16m"], &["tail", "/dev/zero"]);
    engine.cli(&words).fails(137);
    // Podman's monitor does not look at hybrid hierarchies.
    if engine.kind() == Kind::Docker {
        assert_eq!(engine.field("one", "{{.State.OOMKilled}}"), "true");
    }
    engine.cli(&["rm", "one"]).ok();
    engine.assert_clean();
}

/// Limits that change while it runs.
pub fn update(engine: &Engine) {
    let id = engine.detached("one", &["--memory=64m", "--memory-swap=64m"], "sleep 100");
    let flags: &[&str] = &["update", "--memory=96m", "--memory-swap=96m", "--cpu-shares=256", "--cpuset-cpus=1"];
    engine.cli(&[flags, &["one"]].concat()).ok();
    assert_eq!(engine.limit(&id, &MEMORY), "100663296");
    assert!(["256", "10"].contains(&engine.limit(&id, &SHARES).as_str()));
    assert_eq!(engine.limit(&id, &["cpuset.cpus"]), "1");
    if engine.kind() == Kind::Docker {
        engine.cli(&["update", "--pids-limit=33", "one"]).ok();
        assert_eq!(engine.limit(&id, &["pids.max"]), "33");
    }
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}
