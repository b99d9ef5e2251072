//! Writes of the runtime to procfs that the container could lead elsewhere.

use std::fs;
use std::os::unix::fs::symlink;

use oci_tests::{Bundle, Runtime};
use serde_json::json;

use crate::Canary;

/// A volume over parts of /proc cannot catch the runtime's writes of sysctls and labels (runc CVE-2025-52881, CVE-2019-16884,
/// CVE-2019-19921). Either the configuration is refused, or the value is where it belongs and not in the volume.
#[test]
fn writes_go_to_procfs_itself() {
    let runtime = Runtime::new();
    for place in ["/proc/sys", "/proc/sys/net/ipv4", "/proc/self", "/proc", "/proc/thread-self/attr", "/proc/self/attr"]
    {
        let mut bundle = Bundle::new("true");
        let canary = Canary::new();
        let volume = bundle.path().join("volume");
        for directory in ["net/ipv4", "sys/net/ipv4", "self/attr", "attr"] {
            fs::create_dir_all(volume.join(directory)).unwrap();
        }
        for file in
            ["net/ipv4/ip_forward", "sys/net/ipv4/ip_forward", "ip_forward", "attr/exec", "self/attr/exec", "exec"]
        {
            symlink(canary.secret(), volume.join(file)).unwrap();
        }
        bundle.bind(&volume, place);
        bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
        runtime.run(&bundle);
        canary.assert_untouched();
        for file in ["net/ipv4/ip_forward", "sys/net/ipv4/ip_forward", "ip_forward"] {
            assert!(volume.join(file).is_symlink(), "{place}: {file} was replaced");
        }
    }
}

/// A link of a volume that is mounted over /proc/sys/net leads to another sysctl. The write must not follow.
#[test]
fn a_sysctl_is_written_by_its_name() {
    let runtime = Runtime::new();
    let mut bundle = Bundle::new("cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/forwarding");
    bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
    assert_eq!(runtime.run(&bundle).ok(), "1\n1\n");
    for name in
        ["kernel.core_pattern", "net.ipv4/../../kernel.hostname", "net/../kernel/core_pattern", "../x", "net..x"]
    {
        let mut bundle = Bundle::new("true");
        bundle.config["linux"]["sysctl"] = json!({ name: "coracle" });
        let done = runtime.run(&bundle);
        assert_ne!(done.status, 0, "{name} was written: {done:?}");
        assert!(!fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap().contains("coracle"));
    }
}

/// A volume in place of /proc does not get the container's files of procfs masked or read: there is nothing to protect then, but
/// the runtime's own checks must not be answered by it.
#[test]
fn a_false_proc_answers_no_check() {
    let runtime = Runtime::new();
    let canary = Canary::new();
    let mut bundle = Bundle::new("true");
    let volume = bundle.path().join("volume");
    fs::create_dir_all(volume.join("self/fd")).unwrap();
    fs::create_dir_all(volume.join("1")).unwrap();
    for number in 0..20 {
        symlink(canary.path(), volume.join(format!("self/fd/{number}"))).unwrap();
    }
    fs::write(volume.join("self/status"), "Name:\tfalse\n").unwrap();
    fs::write(volume.join("self/uid_map"), "0 0 1\n").unwrap();
    bundle.without_mount("/proc").bind(&volume, "/proc");
    bundle.config["process"]["oomScoreAdj"] = json!(100);
    runtime.run(&bundle);
    canary.assert_untouched();
    assert!(!volume.join("self/oom_score_adj").exists(), "a write went to the volume");
}
