//! Podman and Docker Engine, whose command lines are the same for what is tested here.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Cage, Done, IMAGE, groups, image, installed, runtime};

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No daemon; conmon watches each container.
    Podman,
    /// dockerd, its own containerd, and containerd's shim for each container.
    Docker,
}

/// An engine in a cage, with the image loaded.
#[derive(Debug)]
pub struct Engine {
    kind: Kind,
    cage: Cage,
}

impl Engine {
    /// Starts it, or says why it is skipped.
    pub fn start(kind: Kind) -> Option<Self> {
        let programs: &[&str] = match kind {
            Kind::Podman => &["podman", "conmon", "busybox"],
            Kind::Docker => &["dockerd", "docker", "containerd", "busybox"],
        };
        if !installed(&format!("{kind:?}"), programs) {
            return None;
        }
        let engine = Self { kind, cage: Cage::new() };
        if kind == Kind::Docker {
            engine.daemon();
        }
        let archive = image::archive(engine.cage.dir());
        engine.cli(&["load", "-i", &archive.display().to_string()]).ok();
        Some(engine)
    }

    /// Which one it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it lives.
    pub fn cage(&self) -> &Cage {
        &self.cage
    }

    fn daemon(&self) {
        let dir = self.cage.dir().display();
        let mut command = self.cage.command("dockerd");
        command.args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--default-runtime=coracle"]);
        command.args(["--exec-opt=native.cgroupdriver=cgroupfs", "--cgroup-parent", self.cage.group()]);
        command.arg(format!("--add-runtime=coracle={}", runtime().display()));
        command.arg(format!("--data-root={dir}/data")).arg(format!("--exec-root={dir}/exec"));
        command.arg(format!("--host=unix://{dir}/sock")).arg(format!("--pidfile={dir}/pid"));
        let log = self.cage.dir().join("dockerd.log");
        self.cage.daemon(command, &log);
        let log = || std::fs::read_to_string(&log).unwrap_or_default();
        crate::eventually("dockerd answers", 60, || {
            assert!(!log().contains("failed to start daemon"), "{}", log());
            log().contains("API listen on")
        });
    }

    /// Its command line, ready for a command.
    pub fn command(&self) -> Command {
        let dir = self.cage.dir().display();
        match self.kind {
            Kind::Docker => {
                let mut command = self.cage.command("docker");
                command.arg(format!("--host=unix://{dir}/sock"));
                command
            }
            Kind::Podman => {
                let mut command = self.cage.command("podman");
                command.args(["--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver=overlay"]);
                command.arg(format!("--root={dir}/store")).arg(format!("--runroot={dir}/runroot"));
                command.arg(format!("--tmpdir={dir}/tmpdir")).arg(format!("--runtime={}", runtime().display()));
                command
            }
        }
    }

    /// Runs one of its commands to its end.
    pub fn cli(&self, args: &[&str]) -> Done {
        self.command().args(args).output().expect("nsenter runs").into()
    }

    /// The same with something on standard input.
    pub fn feed(&self, input: &str, args: &[&str]) -> Done {
        let mut command = self.command();
        let mut child = command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends").into()
    }

    /// The same at a terminal (by script(1)), on which the input is typed.
    pub fn type_in(&self, input: &str, args: &[&str]) -> Done {
        let mut line = self.command();
        line.args(args);
        let words = std::iter::once(line.get_program()).chain(line.get_args());
        let words: Vec<String> = words.map(|w| format!("'{}'", w.to_string_lossy().replace('\'', r"'\''"))).collect();
        let mut command = Command::new("script");
        command.args(["-qec", &words.join(" "), "/dev/null"]).env("HOME", self.cage.dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("script (bsdutils) is installed");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends").into()
    }

    /// The words of `run` with what every container here needs: no network, limits that this host lets one set, our groups.
    pub fn words<'a>(&'a self, flags: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
        let mut words = vec!["run", "--network=none"];
        if self.kind == Kind::Podman {
            words.extend([
                "--ulimit=nofile=1024:1024",
                "--ulimit=nproc=4096:4096",
                "--cgroup-parent",
                self.cage.group(),
            ]);
        }
        words.extend(flags);
        words.push(IMAGE);
        words.extend(command);
        words
    }

    /// `run --rm` to the end.
    pub fn run(&self, flags: &[&str], command: &[&str]) -> Done {
        self.cli(&self.words(&[&["--rm"], flags].concat(), command))
    }

    /// `run --rm` of a shell script.
    pub fn sh(&self, flags: &[&str], script: &str) -> Done {
        self.run(flags, &["sh", "-c", script])
    }

    /// `run -d --name NAME` of a shell script; the container's id.
    #[track_caller]
    pub fn detached(&self, name: &str, flags: &[&str], script: &str) -> String {
        self.cli(&self.words(&[&["-d", "--name", name], flags].concat(), &["sh", "-c", script])).ok()
    }

    /// One field of `inspect`, by Go template.
    #[track_caller]
    pub fn field(&self, name: &str, template: &str) -> String {
        self.cli(&["inspect", "--format", template, name]).ok()
    }

    /// The first of these files of a container's control group.
    #[track_caller]
    pub fn limit(&self, id: &str, names: &[&str]) -> String {
        let leaf = if self.kind == Kind::Podman { format!("libpod-{id}") } else { id.to_owned() };
        groups::read(&format!("{}/{leaf}", self.cage.group()), names).unwrap_or_else(|| panic!("no {names:?} of {id}"))
    }

    /// A fresh directory on the host.
    pub fn directory(&self, name: &str) -> PathBuf {
        let dir = self.cage.dir().join(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        dir
    }

    /// Fails if containers left anything.
    #[track_caller]
    pub fn assert_clean(&self) {
        match self.kind {
            Kind::Podman => self.cage.assert_clean(&["podman pause"], &["store/overlay"]),
            Kind::Docker => {
                self.cage.assert_clean(&["dockerd", "containerd", "nsenter"], &["/exec/netns/default", "/data"])
            }
        }
    }
}
