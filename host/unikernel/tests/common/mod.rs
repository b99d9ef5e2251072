//! Builds the test kernel and the test program once, and runs the one on the other in the real empty container.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use plan::{
    ExitStatus, InstanceId, Isolation, LaunchPlan, NetworkMode, NetworkPlan, Process, Resources, RootFs, Stdio, User,
};
use rustix::pipe::{PipeFlags, pipe_with};

/// The files that every test uses.
pub(crate) struct Built {
    pub(crate) kernel: PathBuf,
    pub(crate) program: PathBuf,
    pub(crate) table: PathBuf,
    dir: tempfile::TempDir,
}

pub(crate) fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let program = compile_program(dir.path());
        let mut table = unikernel::rewrite::TableBuilder::new();
        table.add(0, &std::fs::read(&program).unwrap());
        assert!(table.count() >= 2, "the program's calls must be found");
        let path = dir.path().join("program.sites");
        std::fs::write(&path, table.finish()).unwrap();
        Built { kernel: build_kernel(), program, table: path, dir }
    })
}

fn build_kernel() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::current_exe()
        .unwrap()
        .ancestors()
        .find(|d| d.ends_with("debug") || d.ends_with("release"))
        .and_then(|d| d.parent()?.parent())
        .unwrap()
        .to_owned();
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .args(["build", "--quiet", "--release", "-p", "platform-process", "--example", "null_kernel"])
        .args(["--features", "test-kernel", "--target", "x86_64-unknown-none"])
        .status()
        .unwrap();
    assert!(status.success(), "the test kernel must build");
    target.join("x86_64-unknown-none/release/examples/null_kernel")
}

fn compile_program(dir: &Path) -> PathBuf {
    let output = dir.join("probe");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/probe.rs");
    let status = Command::new("rustc")
        .args(["--edition", "2024", "--target", "x86_64-unknown-linux-musl", "-O", "-C", "panic=abort"])
        .args(["-C", "relocation-model=static", "-C", "link-arg=-nostartfiles", "-C", "link-self-contained=no"])
        .args(["-C", "link-arg=-nostdlib", "-C", "link-arg=-static"])
        .arg("-o")
        .args([&output, &source])
        .status()
        .unwrap();
    assert!(status.success(), "the test program must compile");
    output
}

pub(crate) fn launch_plan(image: &Path) -> LaunchPlan {
    let mut random = [0; 32];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    let id = InstanceId::from_bytes(random);
    LaunchPlan {
        name: id.short().to_owned(),
        id,
        isolation: Isolation::Unikernel,
        image: "test".into(),
        image_digest: String::new(),
        rootfs: RootFs { erofs: image.to_owned(), read_only: false },
        process: Process {
            args: vec!["probe".into()],
            env: Vec::new(),
            cwd: "/".into(),
            user: User::default(),
            terminal: false,
        },
        hostname: "test".into(),
        volumes: Vec::new(),
        resources: Resources::default(),
        network: NetworkPlan { mode: NetworkMode::None, published: Vec::new() },
        state_dir: std::env::temp_dir(),
        auto_remove: true,
        stop_signal: 15,
        trace_syscalls: false,
        lifecycle: plan::Lifecycle::default(),
        options: plan::Options::default(),
    }
}

/// A running test program and the other ends of its streams. Dropping it ends it and cleans up.
pub(crate) struct Run {
    pub(crate) instance: unikernel::Instance,
    output: std::fs::File,
    id: InstanceId,
}

/// Starts an image (an ELF file) with a letter of input.
pub(crate) fn start(image: &Path, letter: u8, rewritten: bool) -> Result<Run, unikernel::Error> {
    let files = built();
    let plan = launch_plan(image);
    let pipe = || pipe_with(PipeFlags::CLOEXEC).unwrap();
    let ((stdin, input), (output, stdout)) = (pipe(), pipe());
    std::fs::File::from(input).write_all(&[letter]).unwrap();
    let stderr: OwnedFd = stdout.try_clone().unwrap();
    let table = rewritten.then(|| files.table.clone());
    let extra = unikernel::Extra { rewrite_table: table, ..unikernel::Extra::default() };
    let instance = unikernel::start(&plan, Stdio { stdin, stdout, stderr }, None, &files.kernel, &extra)?;
    Ok(Run { instance, output: output.into(), id: plan.id })
}

impl Run {
    /// Waits for the end: how, and what was written.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        (self.instance.wait().unwrap(), text)
    }

    /// Waits for some output.
    pub(crate) fn read(&mut self) -> String {
        let mut bytes = [0; 64];
        let len = self.output.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.instance.signal(9);
        let _ = self.instance.wait();
        let _ = unikernel::destroy(&self.id);
    }
}

/// A file of the test's own with these bytes.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = built().dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
