//! A real image, a real kernel, and a supervisor's loop.

#![allow(dead_code)] // Each test program uses its part.

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use microvm::{Kernel, Vm};
use plan::{
    ExitStatus, InstanceId, Isolation, LaunchPlan, NetworkMode, NetworkPlan, Process, Resources, RootFs, Stdio, User,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What every test needs.
pub(crate) struct Fixture {
    pub(crate) kernel: Kernel,
    pub(crate) agent: PathBuf,
    pub(crate) image: PathBuf,
}

/// Installs the kernel, builds the agent and packs the image, once; says loudly why if something is missing.
pub(crate) fn fixture() -> Option<&'static Fixture> {
    static FIXTURE: OnceLock<Result<Fixture, String>> = OnceLock::new();
    match FIXTURE.get_or_init(prepare) {
        Ok(fixture) => Some(fixture),
        Err(reason) => {
            eprintln!("SKIP: {reason}");
            None
        }
    }
}

fn prepare() -> Result<Fixture, String> {
    let target = target_dir();
    let kernels = std::env::var_os("CORACLE_KERNEL_DIR").map_or_else(|| target.join("kernels"), PathBuf::from);
    let kernel = microvm::kernel::locate(&kernels).or_else(|_| microvm::kernel::fetch(&kernels));
    let kernel = kernel.map_err(|error| format!("no guest kernel: {error}"))?;
    Ok(Fixture { kernel, agent: build_agent(&target)?, image: pack_image(&target)? })
}

/// The build directory: this test lies in `<target>/<triple>/<profile>/deps`.
fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    exe.ancestors().nth(4).unwrap().to_owned()
}

/// Another package's program: cargo does not build it for this one's tests. `CORACLE_AGENT` names one that exists.
fn build_agent(target: &Path) -> Result<PathBuf, String> {
    if let Some(agent) = std::env::var_os("CORACLE_AGENT") {
        return Ok(agent.into());
    }
    let home = target.join("microvm-test");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest/agent/Cargo.toml");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--target", "x86_64-unknown-linux-musl", "--manifest-path"]);
    let status = command.arg(manifest).arg("--target-dir").arg(&home).status().map_err(|error| error.to_string())?;
    let agent = home.join("x86_64-unknown-linux-musl/release/coracle-agent");
    if status.success() { Ok(agent) } else { Err("the agent does not build".to_owned()) }
}

/// A busybox tree as EROFS.
fn pack_image(target: &Path) -> Result<PathBuf, String> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let busybox = busybox.ok_or("no busybox; install busybox-static")?;
    let scratch = tempfile::tempdir_in(target).map_err(|error| error.to_string())?;
    let root = scratch.path().join("root");
    for directory in ["bin", "etc", "tmp", "proc", "sys", "dev", "home/user"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    for applet in [
        "sh", "cat", "ls", "id", "sleep", "hostname", "head", "dd", "stty", "wc", "kill", "touch", "true", "grep",
        "nc", "ip",
    ] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/not-executable"), "data").unwrap();
    fs::write(root.join("bin/garbage"), "neither ELF nor script").unwrap();
    fs::write(root.join("bin/no-interpreter"), "#!/nowhere/sh\n").unwrap();
    for name in ["bin/garbage", "bin/no-interpreter"] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let made = scratch.path().join("image");
    let output = Command::new("mkfs.erofs").arg(&made).arg(&root).output();
    let output = output.map_err(|_| "no mkfs.erofs; install erofs-utils".to_owned())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    // Test programs run one after another or at once: the last one wins, and an open image stays as it was.
    let image = target.join("microvm-test.erofs");
    fs::rename(&made, &image).map_err(|error| error.to_string())?;
    Ok(image)
}

/// A plan and its state directory.
pub(crate) struct Case {
    pub(crate) plan: LaunchPlan,
    pub(crate) state: tempfile::TempDir,
}

/// A plan that runs this command with `PATH=/bin`.
pub(crate) fn case(fixture: &Fixture, args: &[&str]) -> Case {
    let state = tempfile::tempdir().unwrap();
    let mut id = [0; 32];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).unwrap();
    let plan = LaunchPlan {
        id: InstanceId::from_bytes(id),
        name: "test".into(),
        isolation: Isolation::Microvm,
        image: "test".into(),
        image_digest: String::new(),
        rootfs: RootFs { erofs: fixture.image.clone(), read_only: false },
        process: Process {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: vec!["PATH=/bin".into()],
            cwd: "/".into(),
            user: User::default(),
            terminal: false,
        },
        hostname: "coracle-test".into(),
        volumes: Vec::new(),
        resources: Resources::default(),
        network: NetworkPlan { mode: NetworkMode::None, published: Vec::new() },
        state_dir: state.path().to_owned(),
        auto_remove: false,
        stop_signal: 15,
        trace_syscalls: false,
        lifecycle: plan::Lifecycle::default(),
        options: plan::Options::default(),
    };
    Case { plan, state }
}

/// The host's ends of a program's streams.
pub(crate) struct Ends {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// Pipes, as the engine makes them.
pub(crate) fn pipes() -> (Stdio, Ends) {
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let ((stdin, to), (from, stdout), (from_error, stderr)) = (pipe(), pipe(), pipe());
    let ends = Ends { stdin: Some(to), stdout: Some(from), stderr: Some(from_error) };
    (Stdio { stdin, stdout, stderr }, ends)
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Result<ExitStatus, microvm::Error>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Outcome {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub(crate) fn code(&self) -> u8 {
        self.status.as_ref().unwrap_or_else(|error| panic!("{error}")).code()
    }
}

/// Runs to the end with this standard input.
pub(crate) fn run(fixture: &Fixture, case: &Case, input: &[u8]) -> Result<Outcome, microvm::Error> {
    let (io, mut ends) = pipes();
    rustix::io::write(ends.stdin.as_ref().unwrap(), input).unwrap();
    ends.stdin = None;
    let vm = microvm::start(&case.plan, io, None, &fixture.kernel, &fixture.agent)?;
    Ok(supervise(vm, ends, |_, _| {}))
}

/// The supervisor's loop; `act` is called after each turn with what standard output has said so far.
pub(crate) fn supervise(mut vm: Vm, mut ends: Ends, mut act: impl FnMut(&mut Vm, &[u8])) -> Outcome {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + Duration::from_secs(120);
    let status = loop {
        assert!(Instant::now() < deadline, "the program hangs");
        match vm.handle_ready() {
            Ok(None) => {}
            Ok(Some(status)) => break Ok(status),
            Err(error) => break Err(error),
        }
        act(&mut vm, &stdout);
        let (out, err) = {
            let mut fds = vm.poll_fds();
            let ours = fds.len();
            fds.extend(
                [&ends.stdout, &ends.stderr]
                    .map(|fd| PollFd::from_borrowed_fd(fd.as_ref().unwrap().as_fd(), PollFlags::IN)),
            );
            poll(&mut fds, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).unwrap();
            (!fds[ours].revents().is_empty(), !fds[ours + 1].revents().is_empty())
        };
        if out {
            read_some(ends.stdout.as_ref().unwrap(), &mut stdout);
        }
        if err {
            read_some(ends.stderr.as_ref().unwrap(), &mut stderr);
        }
    };
    drop(vm);
    for (end, buffer) in [(ends.stdout.take(), &mut stdout), (ends.stderr.take(), &mut stderr)] {
        // A terminal says EIO instead of the end.
        let _ = fs::File::from(end.unwrap()).read_to_end(buffer);
    }
    Outcome { status, stdout, stderr }
}

fn read_some(fd: &OwnedFd, buffer: &mut Vec<u8>) {
    let mut chunk = [0; 65536];
    let count = rustix::io::read(fd, &mut chunk).unwrap_or(0);
    buffer.extend_from_slice(&chunk[..count]);
}
