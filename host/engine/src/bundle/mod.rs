//! OCI bundles at the levels that are not containers: a unikernel or a microVM behind the OCI runtime's operations.
//!
//! `create` of the runtime specification makes a process that does not run the program yet. Here that process is a small
//! supervisor, a fork of the runtime: it turns the bundle's root into an image, waits at the socket at which a container's
//! first process waits, too ([`container::waiting`]), and then starts the program. It hands signals on, and ends as the
//! program has ended, so that who waits for it (conmon, a containerd shim) sees what it would see of a container.

mod error;
mod interface;
mod limits;
mod mounts;
mod plan;
mod supervise;
mod terminal;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use ::plan::{InstanceId, Isolation};
use cgroup::Cgroup;
use container::Running;
use jail::{Cloned, Namespaces};
use oci_spec::runtime::{ContainerState, LinuxNamespaceType, Spec, State};

use crate::Paths;
pub use error::BundleError;

/// The annotation of a bundle that chooses the level.
pub const ANNOTATION: &str = "dev.coracle.isolation";

/// A bundle that is to become an instance.
#[derive(Debug)]
pub struct Bundle<'a> {
    /// Its id at the OCI runtime.
    pub id: &'a str,
    /// Its `config.json`.
    pub spec: &'a Spec,
    /// Its directory.
    pub dir: &'a Path,
    /// The level; not [`Isolation::Container`].
    pub level: Isolation,
    /// Where the start socket is made; a directory of its own, which exists.
    pub state_dir: &'a Path,
    /// Where the manager's side of its terminal goes, if it has one.
    pub console: Option<OwnedFd>,
}

/// A supervisor that waits for the start. Dropping this ends it; its files are for [`destroy`].
#[derive(Debug)]
pub struct Supervisor {
    process: Running,
    left: bool,
}

impl Supervisor {
    /// The process that stands for the instance.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Leaves it waiting for [`container::start`].
    ///
    /// # Errors
    /// If its descriptor cannot be copied.
    pub fn leave(mut self) -> Result<Running, BundleError> {
        let pidfd = self.process.pidfd().try_clone_to_owned();
        let pidfd = pidfd.map_err(|e| BundleError::Supervisor("keep the supervisor's descriptor", e))?;
        self.left = true;
        Ok(Running::new(self.pid(), pidfd))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if !self.left {
            let _ = self.process.signal(libc::SIGKILL);
            let _ = self.process.wait();
        }
    }
}

/// Makes the supervisor, and returns when everything but the start of the program is done. The caller must have one thread;
/// its standard streams become the program's.
///
/// # Errors
/// [`BundleError`]: what the level cannot do is refused by name. Files may be left for [`destroy`].
pub fn create(bundle: Bundle<'_>) -> Result<Supervisor, BundleError> {
    let plan = plan::from_spec(&bundle)?;
    let listener = container::waiting::listen(bundle.state_dir)?;
    let (report, child_report) = supervise::report_pipe()?;
    let (hooks, id, dir) = (bundle.spec, bundle.id, bundle.dir);
    match jail::clone_process(namespaces(bundle.spec), None)? {
        Cloned::Child => {
            drop(report);
            supervise::run(bundle, plan, listener, child_report)
        }
        Cloned::Parent { pid, pidfd } => {
            drop(child_report);
            let supervisor = Supervisor { process: Running::new(pid, pidfd), left: false };
            supervise::wait_ready(report)?;
            run_hooks(hooks, id, dir, pid)?;
            Ok(supervisor)
        }
    }
}

/// The hooks of the runtime's own namespaces: Docker connects the network by one of them.
#[allow(deprecated, reason = "prestart hooks are still part of the specification")]
fn run_hooks(spec: &Spec, id: &str, dir: &Path, pid: i32) -> Result<(), BundleError> {
    let Some(hooks) = spec.hooks() else { return Ok(()) };
    let mut state = State::default();
    state
        .set_version(spec.version().clone())
        .set_id(id.to_owned())
        .set_status(ContainerState::Creating)
        .set_pid(Some(pid))
        .set_bundle(dir.to_owned())
        .set_annotations(spec.annotations().clone());
    for (point, list) in [("prestart", hooks.prestart()), ("createRuntime", hooks.create_runtime())] {
        container::hooks::run(point, list.as_deref().unwrap_or_default(), &state).map_err(container::Error::from)?;
    }
    Ok(())
}

/// A network namespace of its own, if the bundle asks for a new one: hooks of engines look for it at the process's.
fn namespaces(spec: &Spec) -> Namespaces {
    let all = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    let new = |namespace: &oci_spec::runtime::LinuxNamespace| {
        namespace.typ() == LinuxNamespaceType::Network && namespace.path().is_none()
    };
    if all.is_some_and(|all| all.iter().any(new)) {
        Namespaces::from_flags(libc::CLONE_NEWNET as u64)
    } else {
        Namespaces::NONE
    }
}

/// Ends what still runs of an instance and removes its files. Nothing there is fine.
///
/// # Errors
/// If something cannot be ended or removed.
pub fn destroy(id: &str, level: Isolation, state_dir: &Path) -> Result<(), BundleError> {
    kill(id, level, state_dir)?;
    let path = directory(&plan::instance_id(id, state_dir));
    match std::fs::remove_dir_all(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(BundleError::File { action: "removing", path, source })
        }
        _ => Ok(()),
    }
}

/// Ends an instance at once, without asking its supervisor, which ends after it.
///
/// # Errors
/// If something cannot be ended.
pub fn kill(id: &str, level: Isolation, state_dir: &Path) -> Result<(), BundleError> {
    let instance = plan::instance_id(id, state_dir);
    match level {
        Isolation::Microvm => microvm::destroy(&instance, &directory(&instance))?,
        _ => unikernel::destroy(&instance)?,
    }
    Ok(())
}

/// Suspends or resumes an instance.
///
/// # Errors
/// If the machine has nothing that suspends.
pub fn freeze(id: &str, state_dir: &Path, frozen: bool) -> Result<(), BundleError> {
    Ok(Cgroup::open(&plan::instance_id(id, state_dir))?.freeze(frozen)?)
}

/// Where an instance keeps its files: on a disk, since an image has the size of its root file system.
fn directory(id: &InstanceId) -> PathBuf {
    Paths::from_environment().root().join("oci").join(id.as_str())
}

fn image_file(directory: &Path) -> PathBuf {
    directory.join("rootfs.erofs")
}

fn sites_file(directory: &Path) -> PathBuf {
    directory.join("sites")
}
