//! A bundle on disk.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

const APPLETS: &str = "sh ash cat chmod cp cut date dd df echo env expr false find grep head hexdump id kill ln ls md5sum \
     mkdir mknod mktemp mount mv nc nproc od printf ps pwd readlink rm rmdir sed seq sha256sum sleep sort stat sync tail \
     test touch tr true tty umount uname unshare usleep wc which xargs yes";

/// A directory with `config.json` and a root file system of busybox.
#[derive(Debug)]
pub struct Bundle {
    dir: TempDir,
    /// The configuration, which [`Bundle::write`] stores.
    pub config: Value,
}

impl Bundle {
    /// A bundle that runs a shell script as root with Docker's capabilities and namespaces of all usual kinds.
    pub fn new(script: &str) -> Self {
        let dir = TempDir::with_prefix("coracle-oci-test-").expect("a temporary directory");
        let bin = dir.path().join("rootfs/bin");
        fs::create_dir_all(&bin).expect("a new directory");
        fs::copy("/bin/busybox", bin.join("busybox")).expect("the package busybox-static");
        for applet in APPLETS.split_whitespace() {
            symlink("busybox", bin.join(applet)).expect("a new directory");
        }
        for directory in ["dev", "etc", "proc", "sys", "tmp", "root"] {
            fs::create_dir(dir.path().join("rootfs").join(directory)).expect("a new directory");
        }
        Self { dir, config: config(script) }
    }

    /// The bundle's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path inside the root file system, seen from here.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.dir.path().join("rootfs").join(path.trim_start_matches('/'))
    }

    /// Adds a mount behind the others.
    pub fn mount(&mut self, mount: Value) -> &mut Self {
        self.config["mounts"].as_array_mut().expect("a list").push(mount);
        self
    }

    /// Adds a bind mount behind the others.
    pub fn bind(&mut self, source: &Path, destination: &str) -> &mut Self {
        self.mount(json!({ "destination": destination, "source": source, "type": "bind", "options": ["rbind", "rw"] }))
    }

    /// Removes the mount on a destination.
    pub fn without_mount(&mut self, destination: &str) -> &mut Self {
        self.config["mounts"].as_array_mut().expect("a list").retain(|mount| mount["destination"] != destination);
        self
    }

    /// Replaces a path of the root file system with a symbolic link.
    pub fn link(&mut self, path: &str, target: &Path) -> &mut Self {
        let path = self.inside(path);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path).expect("a directory of ours");
        } else {
            let _ = fs::remove_file(&path);
        }
        symlink(target, path).expect("a place for the link");
        self
    }

    /// Stores the configuration.
    pub fn write(&self) -> &Self {
        fs::write(self.dir.path().join("config.json"), self.config.to_string()).expect("a directory of ours");
        self
    }
}

const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

fn config(script: &str) -> Value {
    let namespaces: Vec<_> =
        ["pid", "network", "ipc", "uts", "mount"].iter().map(|kind| json!({ "type": kind })).collect();
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 }, "cwd": "/", "args": ["/bin/sh", "-c", script],
            "env": ["PATH=/bin", "TERM=xterm"], "noNewPrivileges": true,
            "capabilities": { "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES },
        },
        "root": { "path": "rootfs" },
        "hostname": "box",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
              "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
        ],
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}
