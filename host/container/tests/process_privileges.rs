//! Users, groups, capabilities and descriptors.

mod bundle;

use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};

use bundle::{Bundle, field, stdout_of};
use serde_json::json;

const STATUS: [&str; 2] = ["cat", "/proc/self/status"];
/// Bits 0 (CHOWN), 5 (KILL) and 10 (NET_BIND_SERVICE).
const THREE: &str = "0000000000000421";
const KILL: &str = "0000000000000020";
const NONE: &str = "0000000000000000";

fn sets(status: &str) -> [&str; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|name| field(status, name))
}

#[test]
fn capabilities_of_root() {
    assert_eq!(sets(&Bundle::new(&STATUS).stdout()), [NONE, THREE, THREE, THREE, NONE]);
    let mut bundle = Bundle::new(&STATUS);
    bundle.config["process"].as_object_mut().unwrap().remove("capabilities");
    assert_eq!(sets(&bundle.stdout()), [NONE; 5]);
}

#[test]
fn capabilities_of_users() {
    let mut bundle = Bundle::new(&STATUS);
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [7, 8], "umask": 0o77 });
    let text = bundle.stdout();
    // Without ambient ones a user's program starts with none.
    assert_eq!(sets(&text), [NONE, NONE, NONE, THREE, NONE]);
    assert_eq!(field(&text, "Uid").split_whitespace().collect::<Vec<_>>(), ["1000"; 4]);
    assert_eq!(field(&text, "Gid").split_whitespace().collect::<Vec<_>>(), ["1001"; 4]);
    assert_eq!((field(&text, "Groups"), field(&text, "Umask")), ("7 8", "0077"));
    let kill = json!(["CAP_KILL"]);
    let all = &mut bundle.config["process"]["capabilities"];
    (all["inheritable"], all["ambient"]) = (kill.clone(), kill);
    assert_eq!(sets(&bundle.stdout()), [KILL, KILL, KILL, THREE, KILL]);
}

#[test]
fn capabilities_that_cannot_be() {
    let mut bundle = Bundle::new(&["true"]);
    bundle.config["process"]["capabilities"] = json!({ "effective": ["CAP_KILL"] });
    let errors = bundle.fails(125);
    assert!(errors.contains("process.capabilities.effective holds CAP_KILL"), "{errors}");
    let held = rustix::thread::capabilities(None).unwrap().permitted;
    if held.contains(rustix::thread::CapabilitySet::SYS_RESOURCE) {
        println!("SKIP: capabilities_that_cannot_be: this process holds every capability");
        return;
    }
    let mut bundle = Bundle::new(&STATUS);
    let wanted = json!(["CAP_SYS_RESOURCE", "CAP_KILL"]);
    bundle.config["process"]["capabilities"] = json!({ "bounding": wanted, "permitted": wanted, "effective": wanted, "inheritable": wanted, "ambient": wanted });
    let text = bundle.stdout();
    assert_eq!([field(&text, "CapEff"), field(&text, "CapPrm"), field(&text, "CapAmb")], [KILL; 3]);
}

#[test]
fn no_new_privileges_is_a_choice() {
    let mut bundle = Bundle::new(&STATUS);
    assert_eq!(field(&bundle.stdout(), "NoNewPrivs"), "1");
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    assert_eq!(field(&bundle.stdout(), "NoNewPrivs"), "0");
}

#[test]
fn filters_with_and_without_the_promise() {
    let mut bundle = Bundle::script("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status; mkdir /tmp/x");
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 }],
    });
    for promise in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(promise);
        let output = bundle.run();
        let expected = format!("NoNewPrivs:\t{}\nSeccomp:\t2\n", u8::from(promise));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
    }
}

#[test]
fn users_in_a_user_namespace() {
    let mut bundle = Bundle::script("id -u; id -g; id -G; cat /proc/self/oom_score_adj; ulimit -n");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({ "type": "user" }));
    let mappings = json!([{ "containerID": 0, "hostID": 100_000, "size": 2000 }]);
    bundle.config["linux"]["uidMappings"] = mappings.clone();
    bundle.config["linux"]["gidMappings"] = mappings;
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [7] });
    bundle.config["process"]["oomScoreAdj"] = json!(100);
    bundle.config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 99, "hard": 99 }]);
    let output = std::process::Command::new("chown").args(["-R", "100000:100000"]).arg(bundle.inside("")).status();
    assert!(output.unwrap().success());
    assert_eq!(bundle.stdout(), "1000\n1001\n1001 7\n100\n99\n");
    bundle.config["process"]["user"] = json!({ "uid": 3000, "gid": 0 });
    let errors = bundle.fails(125);
    assert!(errors.contains("setuid to 3000"), "{errors}");
}

#[test]
fn streams_belong_to_the_user() {
    let mut bundle = Bundle::script("echo again > /dev/stdout; stat -c %u /proc/self/fd/1 -L");
    symlink("/proc/self/fd/1", bundle.inside("tmp/stdout")).unwrap();
    bundle.config["process"]["args"][2] = json!("echo again > /tmp/stdout; stat -L -c %u /proc/self/fd/1");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    assert_eq!(bundle.stdout(), "again\n1000\n");
    assert_eq!(std::fs::metadata("/dev/null").unwrap().uid(), 0, "/dev/null was given away");
}

#[test]
fn descriptors_that_are_kept_and_those_that_are_not() {
    let bundle = Bundle::script("ls /proc/self/fd; cat <&3");
    std::fs::write(bundle.directory.path().join("text"), "inherited").unwrap();
    std::fs::write(bundle.directory.path().join("options"), "preserve-fds=1").unwrap();
    // The shell gives the supervisor 3, which is to be kept, and 9, which is not.
    let inner = bundle.command(&["run"]);
    let script = format!("exec 3<{0}/text 9<{0}/text; exec \"$@\"", bundle.directory.path().display());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    let text = stdout_of(shell.stdin(std::process::Stdio::null()).output().unwrap());
    // 4 is the directory that ls reads.
    assert_eq!(text, "0\n1\n2\n3\n4\ninherited");
    let errors = bundle.fails(125);
    assert!(errors.contains("--preserve-fds is 1, but descriptor 3 was not handed down"), "{errors}");
}

#[test]
fn a_leaked_descriptor_is_no_working_directory() {
    let mut bundle = Bundle::new(&["true"]);
    let host = std::fs::File::open("/").unwrap();
    for fd in [host.as_raw_fd(), 3, 7, 8] {
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{fd}"));
        let errors = bundle.fails(125);
        assert!(errors.contains("enter its working directory"), "{errors}");
    }
}
