//! Namespaces, a directory and a control group that one engine lives in, and that go with everything in it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Done, groups};

/// Its first process is `cat`: it ends, and with it all others, when the test's end of the pipe is closed, even by SIGKILL.
/// Ignored SIGCHLDs make the kernel reap the orphans that daemons leave.
const FIRST: &str =
    "mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && exec env --ignore-signal=CHLD cat >/dev/null";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One engine's world. See the module.
#[derive(Debug)]
pub struct Cage {
    first: Child,
    daemons: Mutex<Vec<Child>>,
    pid: u32,
    group: String,
    mounts: BTreeSet<String>,
    dir: TempDir,
}

impl Cage {
    /// A fresh one. Panics without root.
    pub fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "the engines' tests need root");
        let mut first = Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--pid",
                "--ipc",
                "--uts",
                "--fork",
                "--mount-proc",
                "--propagation",
                "private",
                "sh",
                "-c",
                FIRST,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux is installed");
        let mut line = String::new();
        BufReader::new(first.stdout.take().expect("a pipe")).read_line(&mut line).expect("the cage speaks");
        assert_eq!(line.trim(), "ready", "the namespaces could not be made");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", first.id())).expect("procfs");
        let pid = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("the first process");
        let group = format!("/coracle-engines-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = TempDir::with_prefix("coracle-engines-").expect("a temporary directory");
        let mut cage = Self { first, daemons: Mutex::default(), pid, group, mounts: BTreeSet::new(), dir };
        cage.mounts = cage.mounts();
        cage
    }

    /// Its directory; everything that an engine stores is here.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its control group, the parent of all groups of containers.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// A program in its namespaces.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.pid))
            .args(["--mount", "--net", "--pid", "--ipc", "--uts", "--", program]);
        command.env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin");
        command.env("HOME", self.dir()).stdin(Stdio::null());
        command
    }

    /// Runs a program in it to its end.
    pub fn run(&self, program: &str, args: &[&str]) -> Done {
        self.command(program).args(args).output().expect("nsenter runs").into()
    }

    /// Starts a daemon of it, which ends with it and writes to `log`.
    pub(crate) fn daemon(&self, mut command: Command, log: &Path) {
        let log = File::create(log).expect("a log");
        let child = command.stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("nsenter runs");
        self.daemons.lock().expect("no panic while it is locked").push(child);
    }

    fn mounts(&self) -> BTreeSet<String> {
        let table = fs::read_to_string(format!("/proc/{}/mounts", self.pid)).expect("procfs");
        table.lines().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect()
    }

    /// Fails if a container left a process, a mount, a control group or a state directory. An engine's own that stay with it
    /// (its daemons, Podman's mount of its store, the group of its monitors) are named by the caller.
    #[track_caller]
    pub fn assert_clean(&self, daemons: &[&str], mounts: &[&str]) {
        let begin = Instant::now();
        while !self.strangers(daemons).is_empty() {
            assert!(begin.elapsed() < Duration::from_secs(10), "processes are left: {:?}", self.strangers(daemons));
            sleep(Duration::from_millis(30));
        }
        let left: Vec<_> = self
            .mounts()
            .difference(&self.mounts)
            .filter(|m| !mounts.iter().any(|own| m.ends_with(own)))
            .cloned()
            .collect();
        assert!(left.is_empty(), "mounts are left: {left:?}");
        let left: Vec<_> = groups::children(&self.group).into_iter().filter(|name| name != "conmon").collect();
        assert!(left.is_empty(), "control groups are left: {left:?}");
        let states = self.run("sh", &["-c", "ls -d /run/coracle-oci/* /run/runc/* /run/crun/* 2>/dev/null"]).out;
        assert_eq!(states, "", "states are left");
    }

    fn strangers(&self, daemons: &[&str]) -> Vec<String> {
        let all = self.run("ps", &["-e", "-o", "comm="]).out;
        let own = ["cat", "ps"];
        all.lines()
            .map(|name| name.trim().to_owned())
            .filter(|name| !own.contains(&name.as_str()) && !daemons.contains(&name.as_str()))
            .collect()
    }
}

impl Default for Cage {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        drop(self.first.stdin.take());
        let _ = self.first.wait();
        for daemon in self.daemons.get_mut().into_iter().flatten() {
            let _ = daemon.wait();
        }
        groups::remove(&self.group);
    }
}
