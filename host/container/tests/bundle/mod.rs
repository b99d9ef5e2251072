//! A bundle for tests: a root file system with busybox and a config.json that the test changes, run by the example
//! `bundle-run` as the single-threaded supervisor. Everything goes when the value is dropped, also after a panic.

#![allow(dead_code, unreachable_pub)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

pub struct Bundle {
    pub directory: tempfile::TempDir,
    pub config: Value,
}

impl Bundle {
    pub fn new(args: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let root = directory.path().join("rootfs");
        for name in ["bin", "etc", "tmp", "proc", "dev", "sys"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("install the package busybox-static");
        let listing = Command::new("/bin/busybox").arg("--list").output().unwrap();
        for applet in String::from_utf8(listing.stdout).unwrap().lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let mut id = [0; 32];
        rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).unwrap();
        std::fs::write(directory.path().join("id"), plan::InstanceId::from_bytes(id).to_string()).unwrap();
        Self { directory, config: config(args) }
    }

    /// A shell script as its program.
    pub fn script(script: &str) -> Self {
        Self::new(&["sh", "-c", script])
    }

    /// A file in its root file system.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.directory.path().join("rootfs").join(path)
    }

    /// Adds an executable file.
    pub fn add_program(&self, path: &str, content: &[u8], mode: u32) {
        std::fs::write(self.inside(path), content).unwrap();
        std::fs::set_permissions(self.inside(path), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// The supervisor with these words after the bundle.
    pub fn command(&self, words: &[&str]) -> Command {
        std::fs::write(self.directory.path().join("config.json"), self.config.to_string()).unwrap();
        let test = std::env::current_exe().unwrap();
        let mut command = Command::new(test.parent().unwrap().parent().unwrap().join("examples/bundle-run"));
        command.arg(self.directory.path()).args(words).stdin(Stdio::null());
        command
    }

    pub fn run(&self) -> Output {
        self.command(&["run"]).output().unwrap()
    }

    /// Runs it and expects exit status 0; returns its standard output.
    pub fn stdout(&self) -> String {
        stdout_of(self.run())
    }

    /// Runs it and expects this exit status; returns its standard error.
    pub fn fails(&self, code: i32) -> String {
        let output = self.run();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{errors}");
        errors
    }

    /// Creates and starts it; its streams lead nowhere.
    pub fn start(&self) {
        for step in ["create", "start"] {
            let mut command = self.command(&[step]);
            let file = std::fs::File::create(self.directory.path().join("errors")).unwrap();
            let status = command.stdout(Stdio::null()).stderr(file).status().unwrap();
            assert!(status.success(), "{step}: {}", self.errors());
        }
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("errors")).unwrap()
    }

    /// Runs a further program in what was started: the container's process with these fields changed.
    pub fn exec(&self, args: &[&str], changes: Value) -> Output {
        let mut process = self.config["process"].clone();
        process["args"] = json!(args);
        for (name, value) in changes.as_object().unwrap() {
            process[name] = value.clone();
        }
        let file = self.directory.path().join("process.json");
        std::fs::write(&file, process.to_string()).unwrap();
        self.command(&["exec", file.to_str().unwrap()]).output().unwrap()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.command(&["delete"]).stderr(Stdio::null()).status();
    }
}

/// What a successful program wrote.
pub fn stdout_of(output: Output) -> String {
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}\n{text}\n{errors}", output.status);
    text
}

/// The number of the line `name:` in a file like /proc/self/status.
pub fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim()
}

fn config(args: &[&str]) -> Value {
    let capabilities = json!(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.2.0",
        "root": { "path": "rootfs" },
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "cwd": "/",
            "args": args,
            "env": ["PATH=/bin:/sbin"],
            "noNewPrivileges": true,
            "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
        ],
        "linux": { "namespaces": [
            { "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }, { "type": "network" },
        ] },
    })
}
