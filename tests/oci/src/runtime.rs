//! The runtime under test.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

use tempfile::TempDir;

use crate::Bundle;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A runtime with a state directory of its own. Containers that a test leaves are deleted with it.
#[derive(Debug)]
pub struct Runtime {
    program: PathBuf,
    state: TempDir,
    ids: RefCell<Vec<String>>,
}

/// What a command has done.
#[derive(Debug)]
pub struct Done {
    /// The exit status; 128 and the signal's number if it was killed.
    pub status: i32,
    /// What it and its container have printed.
    pub stdout: String,
    /// Their complaints.
    pub stderr: String,
}

impl Runtime {
    /// The runtime of `CORACLE_OCI_BIN`, or the one that Cargo has built.
    pub fn new() -> Self {
        Self::of(program())
    }

    /// This binary.
    pub fn of(program: PathBuf) -> Self {
        assert!(rustix::process::geteuid().is_root(), "the runtime's tests need root");
        let state = TempDir::with_prefix("coracle-oci-state-").expect("a temporary directory");
        Self { program, state, ids: RefCell::default() }
    }

    /// The binary's path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Where it keeps the states of its containers.
    pub fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// Creates a container with this id, from `config` of the bundle. Its output goes nowhere, since it would keep a pipe open.
    pub fn create(&self, bundle: &Bundle, id: &str) -> Done {
        bundle.write();
        let log = self.state.path().with_extension(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        let file = fs::File::create(&log).expect("a place beside the state");
        let mut command = self.command(&["create", "--bundle", text(bundle.path()), id]);
        let status = command.stdout(Stdio::null()).stderr(file).status().expect("the runtime can be executed");
        let done = Done::from(Output { status, stdout: Vec::new(), stderr: fs::read(&log).unwrap_or_default() });
        let _ = fs::remove_file(log);
        done
    }

    /// What a container has left on the host: its state, and directories of control groups.
    pub fn leftovers(&self, id: &str) -> Vec<PathBuf> {
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        let groups = hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|root| root.join("coracle-oci").join(id));
        groups.chain([self.state.path().join(id)]).filter(|path| path.exists()).collect()
    }

    /// A new container's id, which goes with this structure.
    pub fn id(&self) -> String {
        let id = format!("oci-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.ids.borrow_mut().push(id.clone());
        id
    }

    /// A command of the runtime, without input.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.state.path()).args(args).stdin(Stdio::null());
        command
    }

    /// Carries a command out.
    pub fn call(&self, args: &[&str]) -> Done {
        self.command(args).output().expect("the runtime can be executed").into()
    }

    /// Runs a bundle to its end.
    pub fn run(&self, bundle: &Bundle) -> Done {
        bundle.write();
        let id = self.id();
        self.call(&["run", "--bundle", text(bundle.path()), &id])
    }

    /// Starts a bundle and returns its id. Panics if it does not start.
    pub fn start(&self, bundle: &Bundle) -> String {
        bundle.write();
        let id = self.id();
        let mut command = self.command(&["run", "--detach", "--bundle", text(bundle.path()), &id]);
        // A pipe would stay open as long as the container.
        let log = bundle.path().join("detached.log");
        let file = || fs::File::options().create(true).append(true).open(&log).expect("a directory of ours");
        let status = command.stdout(file()).stderr(file()).status().expect("the runtime can be executed");
        assert!(status.success(), "{}", fs::read_to_string(&log).unwrap_or_default());
        id
    }

    /// Executes a program in a running container.
    pub fn exec(&self, id: &str, args: &[&str]) -> Done {
        self.call(&[&["exec", id], args].concat())
    }

    /// Kills and removes a container.
    pub fn delete(&self, id: &str) -> Done {
        self.call(&["delete", "--force", id])
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        for id in self.ids.take() {
            if self.state.path().join(&id).exists() {
                self.delete(&id);
            }
        }
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status.code().or(output.status.signal().map(|signal| 128 + signal));
        Self {
            status: status.unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Done {
    /// What it has printed, if all went well. Panics otherwise.
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.stdout
    }
}

/// The path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

/// Cargo puts binaries two directories above its tests.
fn program() -> PathBuf {
    if let Some(program) = env::var_os("CORACLE_OCI_BIN") {
        return program.into();
    }
    let test = env::current_exe().expect("the test's own path");
    let program = test.ancestors().nth(2).expect("a target directory").join("coracle-oci");
    assert!(program.exists(), "{} is missing: cargo build -p oci, or set CORACLE_OCI_BIN", program.display());
    program
}
