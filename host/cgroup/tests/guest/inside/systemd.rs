//! The systemd driver with a real systemd, as the first process of a PID namespace, first by its own socket and then by a bus.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cgroup::{DevicePolicy, Error, Group, GroupPath, Manager};
use serde_json::json;

use super::{ROOT, ready, resources};

const SYSTEMD: &str = "/lib/systemd/systemd";
const RESULT: &str = "/tmp/systemd-result";

const UNITS: [(&str, &str); 3] = [
    ("default.target", "[Unit]\nDescription=test\nWants=dbus.socket\n"),
    ("dbus.socket", "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n"),
    (
        "dbus.service",
        "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\n[Service]\nType=notify\n\
         ExecStart=/usr/bin/dbus-daemon --config-file=/etc/bus.conf --nofork --systemd-activation --address=systemd:\n",
    ),
];

const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>"#;

fn configure() {
    for directory in ["/etc/systemd/system", "/run", "/var", "/tmp"] {
        std::fs::create_dir_all(directory).unwrap();
    }
    for (name, text) in UNITS {
        std::fs::write(Path::new("/etc/systemd/system").join(name), text).unwrap();
    }
    std::fs::write("/etc/bus.conf", BUS).unwrap();
    std::fs::write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::write("/etc/passwd", "root:x:0:0:root:/:/bin/sh\n").unwrap();
    std::fs::write("/etc/group", "root:x:0:\n").unwrap();
    let script = format!(
        "(/test --ignored --exact inside::systemd::scopes --nocapture > {RESULT} 2>&1; echo ended $? >> {RESULT}) &\n\
         exec {SYSTEMD} --system --log-target=console --log-level=warning\n"
    );
    std::fs::write("/tmp/first.sh", script).unwrap();
    std::fs::set_permissions("/tmp/first.sh", std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "inside the guest"]
fn scopes() {
    if !ready() {
        return;
    }
    if !Path::new(SYSTEMD).exists() {
        eprintln!("SKIP: systemd is not installed");
        return;
    }
    if std::env::var_os("CORACLE_TEST_WITHIN").is_some() {
        return within();
    }
    configure();
    let mut command = Command::new("/bin/busybox");
    command.args(["unshare", "-p", "-f", "-m", "--mount-proc", "/bin/busybox", "sh", "-c"]);
    command.arg("/bin/busybox mount -t tmpfs tmpfs /run && /bin/busybox mkdir /run/dbus && . /tmp/first.sh");
    let mut systemd = command.env("CORACLE_TEST_WITHIN", "1").env("container", "oci").spawn().unwrap();
    let begin = Instant::now();
    let result = loop {
        let text = std::fs::read_to_string(RESULT).unwrap_or_default();
        if text.contains("ended") || begin.elapsed() > Duration::from_secs(90) {
            break text;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    systemd.kill().unwrap();
    systemd.wait().unwrap();
    assert!(result.contains("1 passed"), "{result}");
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Beside systemd, in its PID namespace.
fn within() {
    eventually("systemd listens", || Path::new("/run/systemd/private").exists());
    drive("directly");
    start_the_bus();
    std::fs::rename("/run/systemd/private", "/run/systemd/hidden").unwrap();
    drive("bus");
    std::fs::rename("/run/dbus/system_bus_socket", "/run/dbus/hidden").unwrap();
    let path = GroupPath::parse("machine.slice:coracle:none").unwrap();
    let error = Group::create(&path, Manager::Systemd, None, DevicePolicy::Rules, true).unwrap_err();
    assert!(matches!(error, Error::Bus { .. }), "{error:?}");
}

/// A connection activates the bus's service; it can be used when systemd has its name there.
fn start_the_bus() {
    eventually("the socket of the bus", || Path::new("/run/dbus/system_bus_socket").exists());
    let _first = std::os::unix::net::UnixStream::connect("/run/dbus/system_bus_socket").unwrap();
    eventually("the service of the bus", || Path::new(&format!("{ROOT}/system.slice/dbus.service")).exists());
    std::thread::sleep(Duration::from_secs(2));
}

fn drive(how: &str) {
    let path = GroupPath::parse(&format!("machine-a.slice:coracle:{how}")).unwrap();
    let limits = resources(json!({ "memory": { "limit": 64 << 20, "swap": 64 << 20 }, "pids": { "limit": 9 },
        "cpu": { "shares": 2048, "quota": 50_000, "period": 100_000, "cpus": "0" } }));
    let group = Group::create(&path, Manager::Systemd, Some(&limits), DevicePolicy::Rules, true).unwrap();
    assert!(group.devices_restricted() && group.path() != &GroupPath::parse("/x").unwrap());
    let place = format!("{ROOT}/machine.slice/machine-a.slice/coracle-{how}.scope");
    let read = |file: &str| std::fs::read_to_string(format!("{place}/{file}")).unwrap().trim().to_owned();
    assert_eq!((read("memory.max"), read("memory.swap.max")), ("67108864".to_owned(), "0".to_owned()));
    assert_eq!((read("pids.max"), read("cpuset.cpus")), ("9".to_owned(), "0".to_owned()));
    assert_eq!((read("cpu.max"), read("cpu.weight")), ("50000 100000".to_owned(), "174".to_owned()));
    let unit = || {
        let name = format!("coracle-{how}.scope");
        let unit = std::fs::read_to_string(format!("/run/systemd/transient/{name}")).unwrap_or_default();
        let parts = std::fs::read_dir(format!("/run/systemd/transient/{name}.d")).into_iter().flatten();
        let control = std::fs::read_dir(format!("/run/systemd/system.control/{name}.d")).into_iter().flatten();
        let parts = parts.chain(control).flatten().filter_map(|part| std::fs::read_to_string(part.path()).ok());
        unit + &parts.collect::<String>()
    };
    assert!(unit().contains("Slice=machine-a.slice") && unit().contains("MemoryMax=67108864"), "{}", unit());
    assert!(unit().contains("Delegate=yes") && unit().contains("CPUWeight=174"), "{}", unit());

    let again = Group::create(&path, Manager::Systemd, None, DevicePolicy::Rules, true).unwrap_err();
    assert!(matches!(again, Error::Unit { what: "start", .. }), "{again:?}");

    assert!(group.processes(true).is_empty(), "the placeholder is nobody");
    assert_eq!(read("cgroup.procs").lines().count(), 1);
    let mut child = Command::new("/bin/busybox").args(["sleep", "100"]).spawn().unwrap();
    group.add(child.id() as i32).unwrap();
    eventually("the placeholder leaves", || read("cgroup.procs") == child.id().to_string());
    drop(group);

    let group = Group::open(&path).unwrap();
    assert_eq!(group.path().to_string(), path.to_string());
    assert_eq!(group.processes(true), [child.id() as i32]);
    group
        .update(&resources(json!({ "memory": { "limit": 32 << 20, "swap": 32 << 20 }, "pids": { "limit": -1 } })))
        .unwrap();
    assert_eq!((read("memory.max"), read("pids.max")), ("33554432".to_owned(), "max".to_owned()));
    assert!(unit().contains("MemoryMax=33554432"), "{}", unit());
    group.freeze(true).unwrap();
    group.remove().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(!Path::new(&place).exists() && unit().is_empty(), "{}", unit());
    group.remove().unwrap();

    let nothing = GroupPath::for_container(how).unwrap();
    let group = Group::create(&nothing, Manager::Systemd, None, DevicePolicy::Rules, false).unwrap();
    assert!(Path::new(&format!("{ROOT}/system.slice/coracle-{how}.scope")).exists());
    group.remove().unwrap();
    for bad in ["/machine.slice/x", "machine:a:b", "x.slice:a"] {
        let result = Group::create(&GroupPath::parse(bad).unwrap(), Manager::Systemd, None, DevicePolicy::Rules, true);
        assert!(matches!(result, Err(Error::UnitPath { .. })), "{bad}");
    }
}
