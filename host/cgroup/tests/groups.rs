//! Groups on the machine's own hierarchies. Needs root; every group carries a random id and is removed.

use std::process::{Child, Command, Stdio};

use cgroup::{Cgroup, Controller, Devices, Error, Layout};
use plan::{InstanceId, Resources};

/// An id that is removed when the test ends, also by a panic.
struct Instance(InstanceId);

impl Instance {
    fn new() -> Self {
        let mut bytes = [0; 32];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).unwrap();
        Self(InstanceId::from_bytes(bytes))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = cgroup::destroy(&self.0);
    }
}

fn sleeper() -> Child {
    Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap()
}

fn groups_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap()
}

#[test]
fn limits_hold_and_everything_goes() {
    let instance = Instance::new();
    let resources =
        Resources { memory: Some(64 << 20), cpu_millis: Some(500), cpuset: Some("0".to_owned()), pids: Some(7) };
    let group = Cgroup::create(&instance.0, &resources, Devices::ContainerDefault).unwrap();
    let mut child = sleeper();
    group.add(child.id() as i32).unwrap();
    let place = format!("/coracle/{}", instance.0);
    assert!(groups_of(child.id()).lines().any(|line| line.ends_with(&place)));
    let layout = Layout::detect().unwrap();
    if let Some(root) = layout.legacy(Controller::Memory) {
        let limit = std::fs::read_to_string(format!("{}{place}/memory.limit_in_bytes", root.display())).unwrap();
        assert_eq!(limit.trim(), (64 << 20).to_string());
        let root = layout.legacy(Controller::Cpu).unwrap();
        let quota = std::fs::read_to_string(format!("{}{place}/cpu.cfs_quota_us", root.display())).unwrap();
        assert_eq!(quota.trim(), "50000");
    }
    assert_eq!(group.processes(), [child.id() as i32]);
    assert_eq!(group.usage().pids, 1);
    assert!(cgroup::list().unwrap().contains(&instance.0));
    group.freeze(true).unwrap();
    group.freeze(false).unwrap();
    cgroup::destroy(&instance.0).unwrap();
    assert!(!child.wait().unwrap().success(), "destroy kills what still runs");
    assert!(!cgroup::list().unwrap().contains(&instance.0));
    cgroup::destroy(&instance.0).unwrap();
}

#[test]
fn without_limits_no_process_has_to_be_moved() {
    let instance = Instance::new();
    let group = Cgroup::create(&instance.0, &Resources::default(), Devices::ContainerDefault).unwrap();
    assert!(group.devices_restricted());
    if Layout::detect().unwrap().unified().is_some() {
        assert!(group.birth_directory().is_some() && !group.needs_move());
    }
}

#[test]
fn the_device_filter_is_enforced() {
    let instance = Instance::new();
    let group = Cgroup::create(&instance.0, &Resources::default(), Devices::ContainerDefault).unwrap();
    // The shell waits until it is in the group; then it may open null, but not the kernel's log.
    let script = "read go; (exec < /dev/null) && ! (exec < /dev/kmsg)";
    let mut child =
        Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert!(std::fs::File::open("/dev/kmsg").is_ok(), "the machine itself must be able to open /dev/kmsg");
    group.add(child.id() as i32).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_refused_value_names_its_file_and_leaves_nothing() {
    let instance = Instance::new();
    let resources = Resources { cpuset: Some("4000".to_owned()), ..Resources::default() };
    let error = Cgroup::create(&instance.0, &resources, Devices::Unrestricted).unwrap_err();
    assert!(matches!(&error, Error::Field { path, .. } if path.ends_with("cpuset.cpus")), "{error:?}");
    assert!(!cgroup::list().unwrap().contains(&instance.0));
}
