use serde_json::{Value, json};

use super::*;
use crate::seccomp::{ARCH_I386, ARCH_X86_64, Call};

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

fn translated(value: Value) -> Result<Filter, Error> {
    translate(&serde_json::from_value(value).unwrap())
}

fn answer(filter: &Filter, arch: u32, number: u32, args: [u64; 2]) -> u32 {
    filter.program.evaluate(&Call { arch, number, args: [args[0], args[1], 0, 0, 0, 0] }).unwrap()
}

fn rule(name: &str, action: &str) -> Value {
    json!({ "names": [name], "action": action })
}

#[test]
fn actions_have_the_kernels_values() {
    let cases = [
        ("SCMP_ACT_KILL", None, libc::SECCOMP_RET_KILL_THREAD),
        ("SCMP_ACT_KILL_THREAD", None, libc::SECCOMP_RET_KILL_THREAD),
        ("SCMP_ACT_KILL_PROCESS", None, libc::SECCOMP_RET_KILL_PROCESS),
        ("SCMP_ACT_TRAP", None, libc::SECCOMP_RET_TRAP),
        ("SCMP_ACT_ERRNO", None, EPERM),
        ("SCMP_ACT_ERRNO", Some(libc::EXDEV as u32), libc::SECCOMP_RET_ERRNO | libc::EXDEV as u32),
        ("SCMP_ACT_TRACE", None, libc::SECCOMP_RET_TRACE | 1),
        ("SCMP_ACT_TRACE", Some(40_000), libc::SECCOMP_RET_TRACE | 40_000),
        ("SCMP_ACT_LOG", None, libc::SECCOMP_RET_LOG),
        ("SCMP_ACT_NOTIFY", None, libc::SECCOMP_RET_USER_NOTIF),
    ];
    for (action, errno, expected) in cases {
        let syscall = json!({ "names": ["getcwd"], "action": action, "errnoRet": errno });
        let filter = translated(json!({
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock", "syscalls": [syscall],
        }));
        assert_eq!(answer(&filter.unwrap(), ARCH_X86_64, libc::SYS_getcwd as u32, [0; 2]), expected, "{action}");
    }
}

#[test]
fn only_numbers_above_those_that_are_named_are_unknown() {
    let profile = |default: Value, archs: Value| {
        let mut profile = json!({
            "defaultAction": "SCMP_ACT_ERRNO", "architectures": archs,
            "syscalls": [rule("read", "SCMP_ACT_ALLOW"), rule("openat2", "SCMP_ACT_ERRNO")],
        });
        profile.as_object_mut().unwrap().extend(default.as_object().unwrap().clone());
        translated(profile).unwrap()
    };
    let newest = libc::SYS_openat2 as u32;
    let listed = profile(json!({}), json!(["SCMP_ARCH_X86_64"]));
    assert_eq!(answer(&listed, ARCH_X86_64, newest, [0; 2]), EPERM);
    assert_eq!(answer(&listed, ARCH_X86_64, newest + 1, [0; 2]), ENOSYS);
    assert_eq!(answer(&listed, ARCH_X86_64, newest - 1, [0; 2]), EPERM);
    // As in runc, a profile without architectures, or whose default is permissive, has no say in it.
    assert_eq!(answer(&profile(json!({}), json!([])), ARCH_X86_64, newest + 1, [0; 2]), EPERM);
    let permissive = profile(json!({ "defaultAction": "SCMP_ACT_LOG" }), json!(["SCMP_ARCH_X86_64"]));
    assert_eq!(answer(&permissive, ARCH_X86_64, newest + 1, [0; 2]), libc::SECCOMP_RET_LOG);
}

#[test]
fn conventions_that_are_not_listed_end_the_thread() {
    let filter = |archs: Value| {
        let read = rule("read", "SCMP_ACT_ALLOW");
        translated(json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": archs, "syscalls": [read] })).unwrap()
    };
    let native = filter(json!(["SCMP_ARCH_ARM", "SCMP_ARCH_S390X"]));
    assert_eq!(answer(&native, ARCH_X86_64, 0, [0; 2]), ALLOW);
    assert_eq!(answer(&native, ARCH_I386, 3, [0; 2]), libc::SECCOMP_RET_KILL_THREAD);
    assert_eq!(answer(&native, ARCH_X86_64, X32_BIT, [0; 2]), libc::SECCOMP_RET_KILL_THREAD);
    assert_eq!(answer(&native, 0xc000_00b7, 0, [0; 2]), libc::SECCOMP_RET_KILL_THREAD);
    let all = filter(json!(["SCMP_ARCH_X86", "SCMP_ARCH_X32"]));
    assert_eq!(answer(&all, ARCH_X86_64, 0, [0; 2]), ALLOW);
    assert_eq!(answer(&all, ARCH_I386, 3, [0; 2]), ALLOW);
    assert_eq!(answer(&all, ARCH_X86_64, X32_BIT, [0; 2]), ALLOW);
}

#[test]
fn the_first_rule_that_holds_decides() {
    let conditional = |action: &str, errno: Option<u32>, args: Value| json!({ "names": ["socket"], "action": action, "errnoRet": errno, "args": args });
    let arg = |index: usize, value: u64, op: &str| json!({ "index": index, "value": value, "op": op });
    let filter = translated(json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        conditional("SCMP_ACT_ERRNO", Some(22), json!([arg(0, 16, "SCMP_CMP_EQ"), arg(1, 9, "SCMP_CMP_EQ")])),
        conditional("SCMP_ACT_ALLOW", None, json!([arg(0, 16, "SCMP_CMP_EQ")])),
        conditional("SCMP_ACT_TRAP", None, json!([arg(0, 1, "SCMP_CMP_EQ"), arg(0, 2, "SCMP_CMP_EQ")])),
    ] }))
    .unwrap();
    let socket = |args| answer(&filter, ARCH_X86_64, libc::SYS_socket as u32, args);
    assert_eq!(socket([16, 9]), libc::SECCOMP_RET_ERRNO | 22, "both hold");
    assert_eq!(socket([16, 8]), ALLOW);
    assert_eq!([socket([1, 0]), socket([2, 0])], [libc::SECCOMP_RET_TRAP; 2], "one index twice: alternatives");
    assert_eq!(socket([3, 9]), EPERM);
}

#[test]
fn socketcall_gets_refusals_but_no_permission_with_conditions() {
    let filter = |default: &str, action: &str, args: Value| {
        let socket = json!({ "names": ["socket"], "action": action, "args": args });
        translated(json!({
            "defaultAction": default, "architectures": ["SCMP_ARCH_X86"], "syscalls": [socket],
        }))
        .unwrap()
    };
    let socketcall = |filter: &Filter, call| answer(filter, ARCH_I386, 102, [call, 0]);
    let vsock = json!([{ "index": 0, "value": 40, "op": "SCMP_CMP_EQ" }]);
    let always = filter("SCMP_ACT_KILL", "SCMP_ACT_ALLOW", json!([]));
    assert_eq!([socketcall(&always, 1), socketcall(&always, 2)], [ALLOW, libc::SECCOMP_RET_KILL_THREAD]);
    let permitted = filter("SCMP_ACT_KILL", "SCMP_ACT_ALLOW", vsock.clone());
    assert_eq!(socketcall(&permitted, 1), libc::SECCOMP_RET_KILL_THREAD);
    let refused = filter("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", vsock);
    assert_eq!([socketcall(&refused, 1), socketcall(&refused, 2)], [EPERM, ALLOW]);
}

#[test]
fn what_cannot_be_carried_out_is_refused() {
    let refusal = |profile: Value| translated(profile).unwrap_err().to_string();
    let with = |syscall: Value| json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [syscall] });
    let errno = json!({ "names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1 });
    assert!(refusal(with(errno)).contains("returns no error number"));
    let errno = json!({ "names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5000 });
    assert!(refusal(with(errno)).contains("greater than 4095"));
    let index = json!({ "index": 6, "value": 0, "op": "SCMP_CMP_EQ" });
    let argument = json!({ "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [index] });
    assert!(refusal(with(argument)).contains("argument 6"));
    assert!(refusal(with(rule("", "SCMP_ACT_ALLOW"))).contains("empty"));
    assert!(refusal(with(rule("read", "SCMP_ACT_NOTIFY"))).contains("listenerPath"));
    assert!(refusal(with(rule("write", "SCMP_ACT_NOTIFY"))).contains("write"));
    assert!(refusal(json!({ "defaultAction": "SCMP_ACT_NOTIFY" })).contains("default action"));
    assert!(refusal(json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x" })).contains("listenerPath"));
    let relative = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "agent.sock",
        "syscalls": [rule("read", "SCMP_ACT_NOTIFY")],
    });
    assert!(refusal(relative).contains("not absolute"));
    let arg = json!([{ "index": 0, "value": u64::MAX - 1, "op": "SCMP_CMP_EQ" }]);
    let many = json!({ "names": vec!["read"; 1000], "action": "SCMP_ACT_ALLOW", "args": arg });
    assert!(refusal(with(many)).contains("4096"));
}

#[test]
fn flags_are_those_of_the_profile() {
    let flags = |flags: Value, action: &str| {
        let mut profile = json!({
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/agent", "syscalls": [rule("mkdir", action)],
        });
        profile["flags"] = flags;
        translated(profile).unwrap().flags
    };
    let all = json!([
        "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    ]);
    assert_eq!(flags(all.clone(), "SCMP_ACT_NOTIFY"), FilterFlags::all());
    assert_eq!(flags(all, "SCMP_ACT_TRAP"), FilterFlags::all() - FilterFlags::WAIT_KILLABLE_RECV);
    assert_eq!(flags(Value::Null, "SCMP_ACT_TRAP"), FilterFlags::SPEC_ALLOW);
    assert_eq!(flags(json!([]), "SCMP_ACT_TRAP"), FilterFlags::empty());
    let unknown = json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_MAGIC"] });
    assert!(serde_json::from_value::<LinuxSeccomp>(unknown).is_err());
}
