//! Namespaces: new ones, and those that are joined by their path.

mod bundle;

use std::process::{Child, Command, Stdio};

use bundle::Bundle;
use serde_json::{Value, json};

fn namespaces(bundle: &mut Bundle) -> &mut Vec<Value> {
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap()
}

/// Replaces the namespace of a kind, or adds it.
fn set(bundle: &mut Bundle, namespace: Value) {
    let list = namespaces(bundle);
    list.retain(|other| other["type"] != namespace["type"]);
    list.push(namespace);
}

/// A process in namespaces of its own, by unshare(1). It ends with the value.
struct Other(Child);

impl Other {
    fn new(flags: &[&str], script: &str) -> Self {
        let mut command = Command::new("unshare");
        let script = format!("{script}\necho ready; exec sleep 1000");
        command.args(flags).args(["sh", "-c", &script]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn path(&self, name: &str) -> String {
        format!("/proc/{}/ns/{name}", self.0.id())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn new_ones_are_not_the_hosts() {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "time", "uts"];
    let mut bundle =
        Bundle::script("for kind in cgroup ipc mnt net pid time uts; do readlink /proc/self/ns/$kind; done");
    for kind in ["cgroup", "time"] {
        set(&mut bundle, json!({ "type": kind }));
    }
    let text = bundle.stdout();
    assert_eq!(text.lines().count(), kinds.len());
    for (line, kind) in text.lines().zip(kinds) {
        assert_ne!(line, std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_str().unwrap());
    }
}

#[test]
fn what_is_not_listed_is_the_callers() {
    let mut bundle = Bundle::script("for kind in ipc net uts; do readlink /proc/self/ns/$kind; done; test $$ != 1");
    namespaces(&mut bundle).retain(|namespace| namespace["type"] == "mount");
    for (line, kind) in bundle.stdout().lines().zip(["ipc", "net", "uts"]) {
        assert_eq!(line, std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_str().unwrap());
    }
}

#[test]
fn joined_by_path() {
    let other = Other::new(
        &["--ipc", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
        "hostname other; ip link add dum0 type veth peer name dum1",
    );
    let inside: u32 = {
        let children = format!("/proc/{0}/task/{0}/children", other.0.id());
        std::fs::read_to_string(children).unwrap().trim().parse().unwrap()
    };
    let mut bundle = Bundle::script(
        "hostname; cat /proc/net/dev | grep -c dum0:; ps | grep -c 'sleep 1000'; readlink /proc/self/ns/ipc",
    );
    for (kind, name) in [("ipc", "ipc"), ("uts", "uts"), ("network", "net"), ("pid", "pid")] {
        set(&mut bundle, json!({ "type": kind, "path": format!("/proc/{inside}/ns/{name}") }));
    }
    let ipc = std::fs::read_link(other.path("ipc")).unwrap();
    let text = bundle.stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["other", "1"], "{text}");
    assert!(lines[2].parse::<u32>().unwrap() >= 1, "{text}");
    assert_eq!(lines[3], ipc.to_str().unwrap());
}

#[test]
fn a_path_that_is_no_namespace_is_refused() {
    let mut bundle = Bundle::script("true");
    set(&mut bundle, json!({ "type": "network", "path": "/etc/passwd" }));
    assert!(bundle.fails(125).contains("(net)"), "the kind is not named");
    set(&mut bundle, json!({ "type": "network", "path": "/proc/self/ns/uts" }));
    bundle.fails(125);
    set(&mut bundle, json!({ "type": "network", "path": "/does/not/exist" }));
    assert!(bundle.fails(125).contains("/does/not/exist"));
}

#[test]
fn clocks_are_shifted() {
    let mut bundle = Bundle::script(
        "cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time; readlink /proc/self/ns/time_for_children",
    );
    set(&mut bundle, json!({ "type": "time" }));
    bundle.config["linux"]["timeOffsets"] = json!({
        "boottime": { "secs": 1_000_000 }, "monotonic": { "secs": -1, "nanosecs": 5 },
    });
    let text = bundle.stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].parse::<u64>().unwrap() >= 1_000_000, "{text}");
    assert_eq!(lines[1], lines[2], "{text}");
}

fn mapped(bundle: &mut Bundle) {
    set(bundle, json!({ "type": "user" }));
    for name in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][name] = json!([
            { "containerID": 0, "hostID": 100_000, "size": 65_536 },
        ]);
    }
    // The image belongs to the container's user 0.
    let owned = Command::new("chown").args(["-R", "-h", "100000:100000"]).arg(bundle.inside("")).status().unwrap();
    assert!(owned.success());
}

#[test]
fn a_user_namespace_with_mappings() {
    let mut bundle =
        Bundle::script("id -u; cat /proc/self/uid_map; touch /tmp/new; echo text > /dev/null; stat -c %t:%T /dev/zero");
    mapped(&mut bundle);
    let text = bundle.stdout();
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    assert_eq!(fields, ["0", "0", "100000", "65536", "1:5"]);
    let made = std::fs::metadata(bundle.inside("tmp/new")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), 100_000);
}

#[test]
fn a_volume_of_somebody_else_in_a_user_namespace() {
    let mut bundle = Bundle::script("stat -c %u /plain/file /mapped/file; cat /mapped/file");
    mapped(&mut bundle);
    // The container's user could not even find it.
    let private = bundle.directory.path().join("private");
    std::fs::create_dir_all(private.join("host")).unwrap();
    std::fs::set_permissions(&private, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(private.join("host/file"), "text\n").unwrap();
    for (place, given) in [("/plain", json!(["bind"])), ("/mapped", json!(["bind", "idmap"]))] {
        let mount = json!({ "destination": place, "source": private.join("host"), "options": given });
        bundle.config["mounts"].as_array_mut().unwrap().push(mount);
    }
    assert_eq!(bundle.stdout(), "65534\n0\ntext\n");
}

#[test]
fn a_user_namespace_that_exists() {
    let other = Other::new(&["--user"], ":");
    for name in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{}/{name}", other.0.id()), "0 100000 65536").unwrap();
    }
    let mut bundle = Bundle::script("id -u; readlink /proc/self/ns/user; echo $$; hostname");
    mapped(&mut bundle);
    set(&mut bundle, json!({ "type": "user", "path": other.path("user") }));
    bundle.config["hostname"] = json!("inside");
    let user = std::fs::read_link(other.path("user")).unwrap();
    assert_eq!(bundle.stdout(), format!("0\n{}\n1\ninside\n", user.to_str().unwrap()));
}

#[test]
fn names_and_kernel_parameters() {
    let mut bundle = Bundle::script(
        "hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/shmmni /proc/sys/net/ipv4/ip_forward",
    );
    bundle.config["hostname"] = json!("box");
    bundle.config["domainname"] = json!("example.org");
    bundle.config["linux"]["sysctl"] = json!({ "kernel.shmmni": "1234", "net.ipv4.ip_forward": "1" });
    assert_eq!(bundle.stdout(), "box\nexample.org\n1234\n1\n");
    bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.no_such_thing": "1" });
    assert!(bundle.fails(125).contains("net/ipv4/no_such_thing"));
}

#[test]
fn an_interface_moves_in_with_its_addresses() {
    // A namespace of its own is the host: nothing is made on the machine.
    let script = "ip link add dum0 type veth peer name dum1 && ip addr add 192.0.2.7/24 dev dum0 && ip addr add 2001:db8::7/64 dev dum0 nodad \
        && ip link set dum0 mtu 1400 && exec \"$@\"";
    let mut bundle =
        Bundle::script("ip addr show dev inside0; ip addr show dev lo; ls /sys/class/net 2>/dev/null; true");
    bundle.config["linux"]["netDevices"] = json!({ "dum0": { "name": "inside0" } });
    let supervisor = bundle.command(&["run"]);
    let mut outer = Command::new("unshare");
    outer.args(["--net", "sh", "-c", script, "sh"]).arg(supervisor.get_program()).args(supervisor.get_args());
    let text = bundle::stdout_of(outer.output().unwrap());
    assert!(text.contains("192.0.2.7/24") && text.contains("2001:db8::7/64"), "{text}");
    assert!(text.contains("mtu 1400") && text.contains("UP"), "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
    bundle.config["linux"]["netDevices"] = json!({ "no-such-device": {} });
    assert!(bundle.fails(125).contains("linux.netDevices"));
}
