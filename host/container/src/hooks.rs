//! Hooks: programs of the caller at fixed points of a container's life (config.md of the OCI specification, "POSIX-platform
//! Hooks"). Each gets the container's state on its standard input.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use oci_spec::runtime::{Hook, State};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

/// A hook that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Its program cannot be run.
    #[error("cannot run the {point} hook {path}")]
    Spawn {
        /// Which of the six points.
        point: &'static str,
        /// Its program.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// It ended otherwise than with status 0.
    #[error("the {point} hook {path} failed: {status}")]
    Failed {
        /// Which of the six points.
        point: &'static str,
        /// Its program.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// It took longer than its `timeout`, and was killed.
    #[error("the {point} hook {path} took longer than {seconds} s")]
    TimedOut {
        /// Which of the six points.
        point: &'static str,
        /// Its program.
        path: PathBuf,
        /// Its limit.
        seconds: u64,
    },
    /// The state cannot be written as JSON.
    #[error("cannot write the container's state for its {point} hooks")]
    State {
        /// Which of the six points.
        point: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Runs hooks one after another, up to the first that fails.
///
/// `point` is the name of their list, for example `poststop`. Their environment is what they list and nothing else; their
/// standard output and error are the caller's.
///
/// # Errors
/// [`HookError`] of the first that fails. For `poststart` and `poststop` the specification demands that the others run all the
/// same: see [`run_all`].
pub fn run(point: &'static str, hooks: &[Hook], state: &State) -> Result<(), HookError> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state = serde_json::to_vec(state).map_err(|source| HookError::State { point, source })?;
    hooks.iter().try_for_each(|hook| run_one(point, hook, &state))
}

/// Runs all hooks, also after one has failed; returns what went wrong.
pub fn run_all(point: &'static str, hooks: &[Hook], state: &State) -> Vec<HookError> {
    hooks.iter().filter_map(|hook| run(point, std::slice::from_ref(hook), state).err()).collect()
}

fn run_one(point: &'static str, hook: &Hook, state: &[u8]) -> Result<(), HookError> {
    let path = hook.path().clone();
    let spawn_error = |source| HookError::Spawn { point, path: path.clone(), source };
    let mut command = Command::new(&path);
    if let Some((name, args)) = hook.args().as_deref().and_then(<[String]>::split_first) {
        command.arg0(name).args(args);
    }
    command.env_clear().stdin(Stdio::piped());
    for variable in hook.env().iter().flatten() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        command.env(name, value);
    }
    let mut child = command.spawn().map_err(spawn_error)?;
    let limit = hook.timeout().map(|seconds| seconds.max(0) as u64);
    // A hook that reads nothing, or that has ended already, need not take its state.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(state);
    }
    match wait(&mut child, limit).map_err(spawn_error)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(HookError::Failed { point, path, status }),
        None => Err(HookError::TimedOut { point, path, seconds: limit.unwrap_or(0) }),
    }
}

/// Waits for the end, at most for so many seconds; after that it is killed, and there is no status.
fn wait(child: &mut Child, limit: Option<u64>) -> io::Result<Option<ExitStatus>> {
    let Some(limit) = limit else { return child.wait().map(Some) };
    let pidfd = pidfd(child)?;
    let deadline = std::time::Instant::now() + Duration::from_secs(limit);
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut wanted = [PollFd::new(&pidfd, PollFlags::IN)];
        match rustix::event::poll(&mut wanted, Some(&timeout)) {
            Ok(0) => break,
            Ok(_) => return child.wait().map(Some),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    child.kill()?;
    let status = child.wait()?;
    // It may have ended by itself in the last moment.
    Ok((status.signal() != Some(libc::SIGKILL)).then_some(status))
}

fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(child.id() as i32).ok_or(io::ErrorKind::NotFound)?;
    Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
}
