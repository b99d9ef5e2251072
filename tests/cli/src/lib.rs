//! What the tests of the command line share: a state directory and a network namespace of their own, so that tests run side
//! by side and leave nothing, and the real binary.
//!
//! The binaries are those that `make build` puts into `dist/`; `CORACLE_BIN` names another `coracle`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// One engine that sees nothing of any other.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
    netns: String,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Done {
    /// Exit status; 128 + n if signal n ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    /// The output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "failed: {}{}", self.out, self.err);
        self.out
    }

    /// The error message of a command that must have failed with this status.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// A fresh one. Panics without root or without the built binaries: then no test of the command line means anything.
    pub fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "the tests of the command line need root");
        assert!(binary().exists(), "{} is missing: run `make build`", binary().display());
        let root = TempDir::with_prefix("coracle-test-").expect("a temporary directory");
        let netns = format!("crcl-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &netns]);
        run("ip", &["-n", &netns, "link", "set", "lo", "up"]);
        let kernels = kernels();
        if kernels.exists() {
            std::os::unix::fs::symlink(kernels, root.path().join("kernels")).expect("a link to the guest kernels");
        }
        Self { root, netns }
    }

    /// One with an image `busybox` (the host's static one, with its usual applets as links).
    pub fn with_busybox() -> Self {
        let sandbox = Self::new();
        sandbox.coracle(&["image", "pack", "--name", "busybox", "/bin/busybox", "sh"]).ok();
        sandbox
    }

    /// The state directory.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A program in this sandbox's network.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.netns)).arg("--").arg(program);
        command.env("CORACLE_ROOT", self.root.path()).stdin(Stdio::null());
        command
    }

    /// Runs `coracle` to its end.
    pub fn coracle(&self, args: &[&str]) -> Done {
        self.command(&binary().display().to_string()).args(args).output().expect("nsenter runs").into()
    }

    /// Runs another program to its end, in this sandbox's network.
    pub fn run(&self, program: &str, args: &[&str]) -> Done {
        self.command(program).args(args).output().expect("nsenter runs").into()
    }

    /// Starts `coracle` with pipes.
    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(&binary().display().to_string());
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("nsenter runs")
    }

    /// `coracle inspect` of one instance.
    pub fn inspect(&self, name: &str) -> serde_json::Value {
        let text = self.coracle(&["inspect", name]).ok();
        let list: serde_json::Value = serde_json::from_str(&text).expect("inspect prints JSON");
        list[0].clone()
    }

    /// The address of an instance.
    pub fn address(&self, name: &str) -> Ipv4Addr {
        self.inspect(name)["address"].as_str().and_then(|a| a.parse().ok()).expect("an address")
    }

    /// Fails if anything of any instance is left: directories, names, leases, interfaces, control groups, mounts.
    #[track_caller]
    pub fn assert_clean(&self) {
        let findings = self.coracle(&["system", "check", "--json"]);
        assert_eq!(findings.out.trim(), "[]", "{}", findings.err);
        for dir in ["instances", "names", "run/network/leases"] {
            let entries: Vec<_> = std::fs::read_dir(self.root().join(dir)).into_iter().flatten().flatten().collect();
            assert!(entries.is_empty(), "left in {dir}: {entries:?}");
        }
        // An interface goes with its last descriptor, in the kernel's own time.
        eventually("interfaces are gone", 2, || !self.run("ip", &["-o", "link"]).out.contains("crcl"));
        let mounts = std::fs::read_to_string("/proc/mounts").expect("procfs");
        let root = self.root().display().to_string();
        assert!(!mounts.contains(&root), "a mount is left below {root}");
    }

    /// Names of the instances that run.
    pub fn running(&self) -> Vec<String> {
        let text = self.coracle(&["ps", "--json"]).ok();
        let list: serde_json::Value = serde_json::from_str(&text).expect("ps prints JSON");
        let names = list.as_array().into_iter().flatten().filter_map(|i| i["plan"]["name"].as_str());
        names.map(str::to_owned).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let all = self.coracle(&["ps", "-a", "-q"]).out;
        for id in all.split_whitespace() {
            self.coracle(&["rm", "-f", id]);
        }
        self.coracle(&["system", "check", "--fix"]);
        let _ = Command::new("ip").args(["netns", "del", &self.netns]).output();
    }
}

/// Tries until it succeeds or the time is over.
#[track_caller]
pub fn eventually(what: &str, seconds: u64, mut attempt: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !attempt() {
        assert!(begin.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a microVM can be started here; says why not.
pub fn microvm_is_possible() -> bool {
    let possible = kernels().exists() && which("qemu-system-x86_64");
    if !possible {
        eprintln!("SKIP: microVM: no guest kernel in {} or no qemu-system-x86_64", kernels().display());
    }
    possible
}

/// Whether a program is installed.
pub fn which(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').any(|dir| Path::new(dir).join(program).exists())
}

/// The project's directory.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The `coracle` under test.
pub fn binary() -> PathBuf {
    std::env::var_os("CORACLE_BIN").map_or_else(|| project().join("dist/coracle"), PathBuf::from)
}

/// Guest kernels that all sandboxes share: making one takes longer than most tests.
fn kernels() -> PathBuf {
    std::env::var_os("CORACLE_KERNEL_DIR").map_or_else(|| project().join("target/kernels"), PathBuf::from)
}

fn run(program: &str, args: &[&str]) {
    let done: Done = Command::new(program).args(args).output().expect("iproute2 is installed").into();
    assert_eq!(done.code, 0, "{program} {args:?}: {}", done.err);
}
