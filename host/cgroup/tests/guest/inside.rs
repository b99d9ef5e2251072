//! The cases: what ends in which file, what the kernel then does, and what is refused.

mod limits;
mod processes;
mod systemd;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cgroup::{DevicePolicy, Error, Group, GroupPath, Manager};
use oci_spec::runtime::LinuxResources;
use rustix::mount::MountFlags;
use serde_json::Value;

const ROOT: &str = "/sys/fs/cgroup";

/// Mounts the hierarchy, once. Outside there is nothing to do.
fn ready() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(|| {
        if std::env::var_os(super::INSIDE).is_none() {
            eprintln!("SKIP: runs inside the guest only");
            return false;
        }
        // A part of the test that is started anew finds it mounted.
        if !PathBuf::from(ROOT).join("cgroup.controllers").exists() {
            rustix::mount::mount("none", ROOT, "cgroup2", MountFlags::empty(), None).unwrap();
        }
        true
    })
}

fn resources(json: Value) -> LinuxResources {
    serde_json::from_value(json).unwrap()
}

/// A group that is removed at the end, also by a panic.
struct Case {
    group: Group,
}

impl Case {
    fn try_new(json: Value) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let path = format!("/case/{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let path = GroupPath::parse(&path).unwrap();
        let limits = resources(json);
        Group::create(&path, Manager::Cgroupfs, Some(&limits), DevicePolicy::Rules, true).map(|group| Self { group })
    }

    fn new(json: Value) -> Self {
        Self::try_new(json).unwrap_or_else(|error| panic!("{error}: {error:?}"))
    }

    fn update(&self, json: Value) -> Result<(), Error> {
        self.group.update(&resources(json)).map(drop)
    }

    fn file(&self, name: &str) -> String {
        let path = PathBuf::from(ROOT).join(&self.group.path().to_string()[1..]).join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
    }

    #[track_caller]
    fn files(&self, wanted: &[(&str, &str)]) {
        for (file, text) in wanted {
            assert_eq!(self.file(file), *text, "{file}");
        }
    }

    /// A shell that waits until it is in the group and then runs a script.
    fn shell(&self, script: &str) -> Child {
        let script = format!("read go; {script}");
        let mut command = Command::new("/bin/busybox");
        let mut child = command.args(["sh", "-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
        self.group.add(child.id() as i32).unwrap();
        drop(child.stdin.take());
        child
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = self.group.remove();
    }
}
