//! containerd with its runc shim, driven by `ctr`.

use std::fs;
use std::process::{Command, Stdio};

use crate::{Cage, Done, IMAGE, groups, image, installed, runtime};

/// A containerd in a cage, with the image imported.
#[derive(Debug)]
pub struct Containerd {
    cage: Cage,
}

const CONFIG: &str = r#"
version = 2
root = "DIR/root"
state = "DIR/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "DIR/sock"
[ttrpc]
  address = "DIR/ttrpc"
"#;

impl Containerd {
    /// Starts it, or says why it is skipped.
    pub fn start() -> Option<Self> {
        if !installed("containerd", &["containerd", "ctr", "containerd-shim-runc-v2", "busybox"]) {
            return None;
        }
        let this = Self { cage: Cage::new() };
        let dir = this.cage.dir();
        fs::write(dir.join("config.toml"), CONFIG.replace("DIR", &dir.display().to_string())).expect("a configuration");
        let mut command = this.cage.command("containerd");
        command.arg("--config").arg(dir.join("config.toml"));
        this.cage.daemon(command, &dir.join("log"));
        crate::eventually("containerd answers", 60, || this.ctr(&["version"]).code == 0);
        let archive = image::archive(dir);
        this.ctr(&["image", "import", &archive.display().to_string()]).ok();
        Some(this)
    }

    /// Where it lives.
    pub fn cage(&self) -> &Cage {
        &self.cage
    }

    /// `ctr`, ready for a command.
    pub fn command(&self) -> Command {
        let mut command = self.cage.command("ctr");
        command.arg("--address").arg(self.cage.dir().join("sock"));
        command
    }

    /// Runs `ctr` to its end.
    pub fn ctr(&self, args: &[&str]) -> Done {
        self.command().args(args).output().expect("nsenter runs").into()
    }

    /// `ctr run` of one container of the image.
    pub fn run(&self, id: &str, flags: &[&str], words: &[&str]) -> Done {
        self.run_command(id, flags, words).output().expect("nsenter runs").into()
    }

    fn run_command(&self, id: &str, flags: &[&str], words: &[&str]) -> Command {
        let mut command = self.command();
        command.args(["run", "--runtime=io.containerd.runc.v2", "--runc-binary"]).arg(runtime());
        command.arg(format!("--cgroup={}/{id}", self.cage.group())).args(flags).args([IMAGE, id]).args(words);
        command
    }

    /// The same at a terminal.
    pub fn run_at_a_terminal(&self, id: &str, words: &[&str]) -> Done {
        let line = self.run_command(id, &["--rm", "--tty"], words);
        let words = std::iter::once(line.get_program()).chain(line.get_args());
        let words: Vec<String> = words.map(|w| format!("'{}'", w.to_string_lossy().replace('\'', r"'\''"))).collect();
        let mut command = Command::new("script");
        command.args(["-qec", &words.join(" "), "/dev/null"]).stdin(Stdio::null());
        command.output().expect("script (bsdutils) is installed").into()
    }

    /// The first of these files of a container's control group.
    #[track_caller]
    pub fn limit(&self, id: &str, names: &[&str]) -> String {
        groups::read(&format!("{}/{id}", self.cage.group()), names).unwrap_or_else(|| panic!("no {names:?} of {id}"))
    }

    /// Fails if containers left anything.
    #[track_caller]
    pub fn assert_clean(&self) {
        self.cage.assert_clean(&["containerd", "nsenter"], &[]);
    }
}
