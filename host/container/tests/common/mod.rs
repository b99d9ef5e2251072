//! A container for tests: a small image with busybox, a state directory, and the example program as the single-threaded
//! supervisor. Everything goes when the value is dropped, also after a panic.

#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use plan::{InstanceId, Isolation, LaunchPlan, NetworkMode, NetworkPlan, Process, Resources, RootFs, User, Volume};

const APPLETS: [&str; 27] = [
    "true", "false", "sh", "cat", "ls", "ps", "id", "sleep", "hostname", "env", "touch", "mkdir", "grep", "head", "dd",
    "stat", "readlink", "ip", "tty", "kill", "mknod", "unshare", "mount", "test", "wc", "chroot", "ln",
];

/// One container and its directory on the host.
pub struct Fixture {
    pub directory: tempfile::TempDir,
    pub plan: LaunchPlan,
}

impl Fixture {
    pub fn new(args: &[&str]) -> Self {
        Self::with_image(args, |_| {})
    }

    /// Lets the test change the image's files before it is packed.
    pub fn with_image(args: &[&str], change: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        std::fs::create_dir_all(image.join("bin")).unwrap();
        std::fs::copy("/bin/busybox", image.join("bin/busybox")).expect("install the package busybox-static");
        for applet in APPLETS {
            std::os::unix::fs::symlink("busybox", image.join("bin").join(applet)).unwrap();
        }
        change(&image);
        let erofs = directory.path().join("image.erofs");
        let packed =
            Command::new("mkfs.erofs").args(["--quiet".as_ref(), erofs.as_os_str(), image.as_os_str()]).status();
        assert!(packed.expect("install the package erofs-utils").success());
        std::fs::create_dir(directory.path().join("state")).unwrap();
        let plan = plan(args, erofs, directory.path().join("state"));
        Self { directory, plan }
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.plan.state_dir.join(name)
    }

    pub fn command(&self) -> Command {
        let file = self.directory.path().join("plan.json");
        std::fs::write(&file, serde_json::to_vec(&self.plan).unwrap()).unwrap();
        let mut command = Command::new(supervisor());
        command.arg(file).stdin(Stdio::null());
        command
    }

    /// Runs the container to its end and checks that nothing is left.
    pub fn run(&self) -> Output {
        let output = self.command().output().unwrap();
        self.assert_nothing_is_left();
        output
    }

    /// Runs it and expects exit status 0; returns its standard output.
    pub fn stdout(&self) -> String {
        let output = self.run();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}\n{text}\n{errors}", output.status);
        text
    }

    /// Runs it and expects this exit status; returns its standard error.
    pub fn fails(&self, code: i32) -> String {
        let output = self.run();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{errors}");
        errors
    }

    /// Starts it and returns once the program runs, with the process id of its first process.
    #[allow(clippy::zombie_processes, reason = "the caller waits for the supervisor")]
    pub fn start(&self) -> (Child, i32) {
        std::fs::write(self.state("want-pid"), "").unwrap();
        let child = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Ok(pid) = std::fs::read_to_string(self.state("pid")) {
                return (child, pid.parse().unwrap());
            }
            assert!(Instant::now() < deadline, "the container did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs another program in the container whose first process this is.
    pub fn exec(&self, pid: i32, args: &[&str]) -> Output {
        let mut inside = self.plan.clone();
        inside.process.args = args.iter().map(ToString::to_string).collect();
        let file = self.directory.path().join("exec.json");
        std::fs::write(&file, serde_json::to_vec(&inside).unwrap()).unwrap();
        Command::new(supervisor()).arg(file).args(["exec", &pid.to_string()]).stdin(Stdio::null()).output().unwrap()
    }

    pub fn assert_nothing_is_left(&self) {
        assert!(!cgroup::list().unwrap().contains(&self.plan.id), "a control group is left");
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!table.contains(&*self.directory.path().to_string_lossy()), "a mount is left: {table}");
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = container::plan_api::destroy(&self.plan.id);
    }
}

pub fn volume(host: &Path, guest: &str, read_only: bool) -> Volume {
    Volume { host: host.to_owned(), guest: guest.into(), read_only }
}

/// The example beside the test programs, which cargo builds with them.
fn supervisor() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples/container-run")
}

fn plan(args: &[&str], erofs: PathBuf, state_dir: PathBuf) -> LaunchPlan {
    let mut id = [0; 32];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).unwrap();
    LaunchPlan {
        id: InstanceId::from_bytes(id),
        name: "test".to_owned(),
        isolation: Isolation::Container,
        image: "test".to_owned(),
        image_digest: String::new(),
        rootfs: RootFs { erofs, read_only: false },
        process: Process {
            args: args.iter().map(ToString::to_string).collect(),
            env: vec!["PATH=/sbin:/bin".to_owned(), "COLOUR=blue".to_owned()],
            cwd: "/".to_owned(),
            user: User::default(),
            terminal: false,
        },
        hostname: "box".to_owned(),
        volumes: Vec::new(),
        resources: Resources::default(),
        network: NetworkPlan { mode: NetworkMode::None, published: Vec::new() },
        state_dir,
        auto_remove: true,
        stop_signal: 15,
        trace_syscalls: false,
        lifecycle: plan::Lifecycle::default(),
        options: plan::Options::default(),
    }
}
