//! What the kernel says about a process after each attribute of the specification, seen from inside.

mod bundle;

use bundle::{Bundle, field, stdout_of};
use serde_json::{Value, json};

/// The program's own line of `/proc/self/stat`, from the third field on: after the name, which may hold anything.
fn stat(bundle: &Bundle) -> Vec<i64> {
    let text = bundle.stdout();
    let (_, fields) = text.rsplit_once(") ").unwrap();
    fields.split_whitespace().skip(1).map(|field| field.parse().unwrap_or(-1)).collect()
}

/// Nice value, real-time priority and policy (proc_pid_stat(5), fields 19, 40 and 41).
fn scheduling(scheduler: Value) -> (i64, i64, i64) {
    let mut bundle = Bundle::new(&["cat", "/proc/self/stat"]);
    bundle.config["process"]["scheduler"] = scheduler;
    let fields = stat(&bundle);
    (fields[19 - 4], fields[40 - 4], fields[41 - 4])
}

#[test]
fn limits() {
    let mut bundle = Bundle::new(&["cat", "/proc/self/limits"]);
    bundle.config["process"]["rlimits"] = json!([
        { "type": "RLIMIT_NOFILE", "soft": 64, "hard": 128 },
        { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
        { "type": "RLIMIT_STACK", "soft": 4194304, "hard": 8388608 },
    ]);
    let text = bundle.stdout();
    let line = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("Max open files"), ["64", "128"]);
    assert_eq!(line("Max core file size"), ["0", "0"]);
    assert_eq!(line("Max stack size"), ["4194304", "8388608"]);
}

#[test]
fn a_limit_above_the_runtimes_own_is_explained() {
    let held = rustix::thread::capabilities(None).unwrap().effective;
    if held.contains(rustix::thread::CapabilitySet::SYS_RESOURCE) {
        println!("SKIP: a_limit_above_the_runtimes_own_is_explained: this process holds CAP_SYS_RESOURCE");
        return;
    }
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap();
    let mut bundle = Bundle::new(&["true"]);
    bundle.config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": own, "hard": own + 1 }]);
    let errors = bundle.fails(125);
    assert!(errors.contains("RLIMIT_NOFILE") && errors.contains("CAP_SYS_RESOURCE"), "{errors}");
}

#[test]
fn oom_score() {
    let mut bundle = Bundle::new(&["cat", "/proc/self/oom_score_adj"]);
    bundle.config["process"]["oomScoreAdj"] = json!(321);
    assert_eq!(bundle.stdout(), "321\n");
    bundle.config["process"]["oomScoreAdj"] = json!(1001);
    assert!(bundle.fails(125).contains("process.oomScoreAdj is 1001"));
}

#[test]
fn schedulers() {
    assert_eq!(scheduling(json!({ "policy": "SCHED_BATCH", "nice": 7 })), (7, 0, 3));
    assert_eq!(scheduling(json!({ "policy": "SCHED_OTHER", "nice": 3 })), (3, 0, 0));
    assert_eq!(scheduling(json!({ "policy": "SCHED_IDLE" })).2, 5);
    // Whether real-time time is given to the control group depends on the host.
    let mut bundle = Bundle::new(&["cat", "/proc/self/stat"]);
    bundle.config["process"]["scheduler"] = json!({ "policy": "SCHED_FIFO", "priority": 10 });
    let output = bundle.run();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || errors.contains("set process.scheduler"), "{errors}");
    bundle.config["process"]["scheduler"] = json!({ "policy": "SCHED_FIFO", "priority": 100 });
    assert!(bundle.fails(125).contains("process.scheduler.priority is 100"));
}

#[test]
fn io_priorities() {
    let mut bundle = Bundle::new(&["ionice"]);
    bundle.config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
    assert_eq!(bundle.stdout(), "best-effort: prio 6\n");
    bundle.config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 0 });
    assert!(bundle.stdout().starts_with("idle"));
}

#[test]
fn personalities() {
    let mut bundle = Bundle::new(&["cat", "/proc/self/personality"]);
    bundle.config["linux"]["personality"] = json!({ "domain": "LINUX32" });
    assert_eq!(bundle.stdout(), "00000008\n");
    bundle.config["linux"]["personality"] = json!({ "domain": "LINUX" });
    assert_eq!(bundle.stdout(), "00000000\n");
}

#[test]
fn memory_policies() {
    let mut bundle = Bundle::new(&["cat", "/proc/self/numa_maps"]);
    bundle.config["linux"]["memoryPolicy"] =
        json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] });
    let text = bundle.stdout();
    assert!(text.contains(" bind=static:0 "), "{text}");
    bundle.config["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "4000" });
    assert!(bundle.fails(125).contains("set linux.memoryPolicy"));
}

#[test]
fn processors_of_further_programs() {
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.start();
    let status = ["cat", "/proc/self/status"];
    let inside = stdout_of(bundle.exec(&status, json!({ "execCPUAffinity": { "initial": "0", "final": "0" } })));
    assert_eq!(field(&inside, "Cpus_allowed_list"), "0");
    let absent = bundle.exec(&status, json!({ "execCPUAffinity": { "final": "1000" } }));
    let errors = String::from_utf8_lossy(&absent.stderr);
    assert!(errors.contains("process.execCPUAffinity.final"), "{errors}");
}

#[test]
fn labels_without_their_module() {
    let module = |path: &str| std::path::Path::new(path).exists();
    if module("/sys/module/apparmor") || module("/sys/fs/selinux/enforce") {
        println!("SKIP: labels_without_their_module: this host has a security module");
        return;
    }
    let mut bundle = Bundle::new(&["true"]);
    bundle.config["process"]["apparmorProfile"] = json!("unconfined");
    bundle.config["process"]["selinuxLabel"] = json!("");
    bundle.stdout();
    bundle.config["process"]["apparmorProfile"] = json!("docker-default");
    assert!(bundle.fails(125).contains("AppArmor is not enabled"));
    bundle.config["process"]["apparmorProfile"] = json!("");
    bundle.config["process"]["selinuxLabel"] = json!("system_u:system_r:container_t:s0");
    assert!(bundle.fails(125).contains("SELinux is disabled or not supported"));
}

#[test]
fn signals_are_as_a_program_expects() {
    let bundle = Bundle::new(&["cat", "/proc/self/status"]);
    let mut command = std::process::Command::new("nohup");
    let inner = bundle.command(&["run"]);
    command.arg(inner.get_program()).args(inner.get_args()).stdin(std::process::Stdio::null());
    let text = stdout_of(command.output().unwrap());
    // nohup ignores SIGHUP, the runtime of this language SIGPIPE; other bits are those of the test's own environment.
    let ignored = u64::from_str_radix(field(&text, "SigIgn"), 16).unwrap();
    assert_eq!((field(&text, "SigBlk"), ignored & (1 | 1 << 12)), ("0000000000000000", 0));
}
