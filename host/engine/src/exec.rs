use std::os::fd::{AsFd, OwnedFd};

use container::{ExecOptions, Io, Target};
use plan::{ExitStatus, Isolation, Process, Stdio};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::fcntl_dupfd_cloexec;

use crate::supervisor::Relay;
use crate::{Engine, Error, Instance};

/// A further program in a running instance.
#[derive(Debug, Clone, Default)]
pub struct ExecRequest {
    /// The command.
    pub command: Vec<String>,
    /// `NAME=VALUE`, over the instance's environment.
    pub env: Vec<String>,
    /// The working directory; the instance's if not given.
    pub workdir: Option<String>,
    /// Numeric `uid[:gid]` or names of the image; the instance's user if not given.
    pub user: Option<String>,
    /// Pass standard input on.
    pub interactive: bool,
    /// Give the program a terminal.
    pub terminal: bool,
    /// Do not wait for its end.
    pub detach: bool,
    /// Give the program all capabilities.
    pub privileged: bool,
}

impl Engine {
    /// Runs a further program in a container and passes streams on until it ends.
    ///
    /// The calling process must have one thread: the program is forked from it.
    pub fn exec(&self, what: &str, request: &ExecRequest) -> Result<ExitStatus, Error> {
        let instance = self.active(what)?;
        let level = instance.plan.isolation;
        if level != Isolation::Container {
            let hint = match level {
                Isolation::Unikernel => "; a unikernel has one program: run a second instance instead",
                _ => " yet; run a second instance instead",
            };
            return Err(Error::Unsupported { what: "exec", level, hint });
        }
        let process = self.exec_process(&instance, request)?;
        if request.terminal {
            return exec_in_terminal(&instance, &process);
        }
        let mut running = exec_in(&instance, &process, inherited(request.interactive)?, request.privileged)?;
        if request.detach {
            return Ok(ExitStatus::Exited(0));
        }
        loop {
            let _ = poll(&mut [PollFd::from_borrowed_fd(running.pidfd(), PollFlags::IN)], None);
            if let Some(status) = running.try_wait()? {
                return Ok(status);
            }
        }
    }

    fn exec_process(&self, instance: &Instance, request: &ExecRequest) -> Result<Process, Error> {
        let mut process = instance.plan.process.clone();
        process.args = request.command.clone();
        process.terminal = request.terminal;
        let key = |variable: &str| variable.split_once('=').map_or(variable, |(key, _)| key).to_owned();
        for variable in &request.env {
            process.env.retain(|old| key(old) != key(variable));
            process.env.push(variable.clone());
        }
        if let Some(dir) = &request.workdir {
            process.cwd.clone_from(dir);
        }
        if let Some(user) = &request.user {
            process.user = image::resolve_user(&instance.plan.rootfs.erofs, user)?;
        }
        Ok(process)
    }
}

/// Runs a further program in a container that runs.
pub(crate) fn exec_in(
    instance: &Instance,
    process: &Process,
    io: Stdio,
    privileged: bool,
) -> Result<container::Running, Error> {
    let first = instance.record.process.as_ref();
    let pidfd = first.and_then(|process| process.open()).ok_or(Error::SupervisorLost)?;
    let pid = instance.record.pid().unwrap_or_default();
    let plan = &instance.plan;
    let spec = crate::launch::target_spec(plan)?;
    let cgroup = crate::launch::group(plan)?;
    let target = Target { pid, pidfd: pidfd.as_fd(), spec: &spec, cgroup: &cgroup };
    let mut own = plan.options.clone();
    own.security.privileged |= privileged;
    let process = crate::spec::further_process(process, &own, &spec);
    let default_filter = crate::launch::has_default_filter(plan) && !privileged;
    let options = ExecOptions { default_filter, ..ExecOptions::default() };
    Ok(container::exec(&target, &process, Io::Given(io), &options)?)
}

fn exec_in_terminal(instance: &Instance, process: &Process) -> Result<ExitStatus, Error> {
    let (stdio, output) = crate::supervisor::open_streams(true, true)?;
    let mut running = exec_in(instance, process, stdio, false)?;
    Relay::new(output)?.run(|| Ok(running.try_wait()?))
}

/// The command's own streams; without `-i` the program reads nothing.
fn inherited(interactive: bool) -> Result<Stdio, Error> {
    let system = |errno: rustix::io::Errno| Error::System("preparing the standard streams", errno.into());
    let copy = |fd: &dyn AsFd| -> Result<OwnedFd, Error> { fcntl_dupfd_cloexec(fd.as_fd(), 3).map_err(system) };
    let stdin = if interactive {
        copy(&std::io::stdin())?
    } else {
        use rustix::fs::{Mode, OFlags, open};
        open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(system)?
    };
    Ok(Stdio { stdin, stdout: copy(&std::io::stdout())?, stderr: copy(&std::io::stderr())? })
}
