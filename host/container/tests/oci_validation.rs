//! Specifications that ask for something impossible are refused before anything is made, and the field is named.

use container::{Problem, validate};
use oci_spec::runtime::Spec;
use serde_json::{Value, json};

fn base() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "root": { "path": "rootfs" },
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": { "namespaces": [{ "type": "mount" }, { "type": "pid" }, { "type": "uts" }] },
    })
}

/// The field that is refused after the value at `pointer` was set.
fn refused(pointer: &str, value: Value) -> (String, Problem) {
    let mut spec = base();
    set(&mut spec, pointer, value);
    let spec: Spec = serde_json::from_value(spec).unwrap();
    let error = validate(&spec).expect_err(pointer);
    assert!(error.to_string().starts_with(&error.field), "{error}");
    (error.field, error.problem)
}

fn set(spec: &mut Value, pointer: &str, value: Value) {
    let mut place = spec;
    for part in pointer.split('/') {
        place = match part.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[part],
        };
    }
    *place = value;
}

#[test]
fn the_base_is_possible() {
    let spec: Spec = serde_json::from_value(base()).unwrap();
    validate(&spec).unwrap();
}

#[test]
fn namespaces() {
    let list = |extra: Value| json!([{ "type": "mount" }, { "type": "pid" }, extra]);
    let (field, problem) = refused("linux/namespaces", list(json!({ "type": "pid" })));
    assert_eq!(field, "linux.namespaces[2].type");
    assert!(matches!(problem, Problem::Duplicate(_)));
    let (field, _) = refused("linux/namespaces", list(json!({ "type": "network", "path": "proc/1/ns/net" })));
    assert_eq!(field, "linux.namespaces[2].path");
    assert_eq!(refused("linux/namespaces", json!([{ "type": "pid" }])).0, "linux.namespaces");
    let (field, problem) = refused("linux/namespaces", list(json!({ "type": "user" })));
    assert_eq!((field.as_str(), problem), ("linux.uidMappings", Problem::Missing));
    let mapping = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    assert!(matches!(refused("linux/uidMappings", mapping).1, Problem::Needs(_)));
    assert_eq!(refused("linux", Value::Null), ("linux".to_owned(), Problem::Missing));
}

#[test]
fn mappings() {
    let mut spec = base();
    spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    spec["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": 0, "size": 0 }]);
    spec["linux"]["gidMappings"] = json!([{ "containerID": 0, "hostID": 4294967295u32, "size": 2 }]);
    let error = validate(&serde_json::from_value(spec.clone()).unwrap()).unwrap_err();
    assert_eq!(error.field, "linux.uidMappings[0].size");
    spec["linux"]["uidMappings"][0]["size"] = json!(1);
    let error = validate(&serde_json::from_value(spec).unwrap()).unwrap_err();
    assert_eq!(error.field, "linux.gidMappings[0].size");
}

#[test]
fn mounts() {
    let mount = |value: Value| refused("mounts", json!([value]));
    let bind = |options: Value| mount(json!({ "destination": "/a", "source": "/tmp", "options": options }));
    assert_eq!(mount(json!({ "destination": "", "type": "tmpfs" })).0, "mounts[0].destination");
    assert_eq!(mount(json!({ "destination": "/a/../..", "type": "tmpfs" })).0, "mounts[0].destination");
    assert_eq!(mount(json!({ "destination": "/a\u{0}b", "type": "tmpfs" })).1, Problem::NotText);
    assert_eq!(mount(json!({ "destination": "/a" })), ("mounts[0].type".to_owned(), Problem::Missing));
    let no_source = mount(json!({ "destination": "/a", "type": "bind", "options": ["bind"] }));
    assert_eq!(no_source, ("mounts[0].source".to_owned(), Problem::Missing));
    assert_eq!(bind(json!(["rbind", "size=4k"])).0, "mounts[0].options[1]");
    assert_eq!(bind(json!(["bind", "tmpcopyup"])).0, "mounts[0].options");
    assert_eq!(bind(json!(["bind", "idmap"])).0, "mounts[0].options");
    let half = json!({ "destination": "/a", "source": "/tmp", "options": ["bind"],
        "uidMappings": [{ "containerID": 0, "hostID": 1, "size": 1 }] });
    assert_eq!(mount(half), ("mounts[0].gidMappings".to_owned(), Problem::Missing));
    let both = json!([{ "containerID": 0, "hostID": 1, "size": 1 }]);
    let on_new = json!({ "destination": "/a", "type": "tmpfs", "uidMappings": both, "gidMappings": both });
    assert_eq!(mount(on_new).0, "mounts[0].uidMappings");
}

#[test]
fn devices_and_paths() {
    let device = |value: Value| refused("linux/devices", json!([value]));
    let relative = json!({ "path": "dev/x", "type": "c", "major": 1, "minor": 3 });
    assert_eq!(device(relative).0, "linux.devices[0].path");
    let large = json!({ "path": "/dev/x", "type": "c", "major": 5000, "minor": 3 });
    assert_eq!(device(large).1, Problem::OutOfRange { value: 5000, least: 0, most: 4095 });
    let negative = json!({ "path": "/dev/x", "type": "b", "major": 1, "minor": -1 });
    assert_eq!(device(negative).0, "linux.devices[0].minor");
    assert_eq!(device(json!({ "path": "/dev/x", "type": "a", "major": 1, "minor": 1 })).0, "linux.devices[0].type");
    assert_eq!(refused("linux/maskedPaths", json!(["/a", "b"])).0, "linux.maskedPaths[1]");
    assert_eq!(refused("linux/readonlyPaths", json!(["\u{0}"])).0, "linux.readonlyPaths[0]");
    assert_eq!(refused("linux/rootfsPropagation", json!("everywhere")).0, "linux.rootfsPropagation");
}

#[test]
fn kernel_parameters_of_the_host() {
    for name in ["kernel.panic", "vm.swappiness", "fs.file-max", "net..x", "kernel/../../x", "abi"] {
        let (field, problem) = refused("linux/sysctl", json!({ name: "1" }));
        assert_eq!(field, format!("linux.sysctl[{name}]"));
        assert!(matches!(problem, Problem::OfTheHost(_)), "{name}: {problem}");
    }
    for name in
        ["kernel.shmmax", "fs.mqueue.msg_max", "net.ipv4.ip_forward", "net/ipv4/ip_forward", "user.max_user_namespaces"]
    {
        assert!(matches!(refused("linux/sysctl", json!({ name: "1" })).1, Problem::Needs(_)), "{name}");
    }
    assert!(matches!(refused("linux/sysctl", json!({ "kernel.hostname": "x" })).1, Problem::Conflicts(_)));
}

#[test]
fn names_clocks_interfaces_hooks_and_classes() {
    assert_eq!(refused("hostname", json!("x".repeat(65))).1, Problem::TooLong { longest: 64 });
    let no_uts = json!([{ "type": "mount" }]);
    let mut spec = base();
    spec["linux"]["namespaces"] = no_uts;
    spec["domainname"] = json!("example.org");
    assert_eq!(validate(&serde_json::from_value(spec).unwrap()).unwrap_err().field, "domainname");
    assert_eq!(refused("linux/timeOffsets", json!({ "monotonic": { "secs": 1 } })).0, "linux.timeOffsets");
    assert_eq!(refused("linux/netDevices", json!({ "eth0": {} })).0, "linux.netDevices");
    let hook = |value: Value| refused("hooks", json!({ "poststop": [value] })).0;
    assert_eq!(hook(json!({ "path": "bin/true" })), "hooks.poststop[0].path");
    assert_eq!(hook(json!({ "path": "/bin/true", "timeout": 0 })), "hooks.poststop[0].timeout");
    assert_eq!(hook(json!({ "path": "/bin/true", "args": ["\u{0}"] })), "hooks.poststop[0].args");
    assert_eq!(refused("linux/intelRdt", json!({ "closID": "../x" })).0, "linux.intelRdt.closID");
    let mut spec = base();
    spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "network" }));
    for bad in ["a/b", "0123456789abcdef", ".."] {
        spec["linux"]["netDevices"] = json!({ "eth0": { "name": bad } });
        let error = validate(&serde_json::from_value(spec.clone()).unwrap()).unwrap_err();
        assert_eq!(error.field, "linux.netDevices[eth0].name");
    }
}
