use std::os::fd::{AsFd, OwnedFd};

use container::{ExecOptions, Io, Target};
use plan::{ExitStatus, Isolation, Process, Stdio};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::fcntl_dupfd_cloexec;

use crate::supervisor::{DetachKeys, Relay, Relayed, console_socket};
use crate::sys::{self, Fork};
use crate::{Engine, Error, Instance, events};

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
    /// With a terminal: what to type to leave the program.
    pub detach_keys: DetachKeys,
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
        let command = crate::command_line(&process.args);
        let tell = |action: &str, more: &[(&str, &str)]| events::write(&self.paths, &instance.plan, action, more);
        tell(&format!("exec_create: {command}"), &[]);
        let ended = if request.terminal {
            let ended = exec_in_terminal(&instance, &process, request)?;
            tell(&format!("exec_start: {command}"), &[]);
            ended
        } else {
            let io = Io::Given(inherited(request)?);
            let mut running = exec_in(&instance, &process, io, request.privileged)?;
            tell(&format!("exec_start: {command}"), &[]);
            if request.detach { None } else { Some(running.wait()?) }
        };
        if let Some(status) = ended {
            tell("exec_die", &[("exitCode", &status.code().to_string())]);
        }
        Ok(ended.unwrap_or(ExitStatus::Exited(0)))
    }

    fn exec_process(&self, instance: &Instance, request: &ExecRequest) -> Result<Process, Error> {
        let mut process = instance.plan.process.clone();
        process.args = request.command.clone();
        process.terminal = request.terminal;
        let key = |variable: &str| variable.split_once('=').map_or(variable, |(key, _)| key).to_owned();
        if request.terminal && !process.env.iter().any(|variable| key(variable) == "TERM") {
            process.env.push("TERM=xterm".to_owned());
        }
        for variable in &request.env {
            process.env.retain(|old| key(old) != key(variable));
            if variable.contains('=') {
                process.env.push(variable.clone());
            } else if let Ok(value) = std::env::var(variable) {
                process.env.push(format!("{variable}={value}"));
            }
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
    io: Io,
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
    Ok(container::exec(&target, &process, io, &options)?)
}

/// With a terminal of the container's own, so that the program can name it; `None` if it was left.
fn exec_in_terminal(
    instance: &Instance,
    process: &Process,
    request: &ExecRequest,
) -> Result<Option<ExitStatus>, Error> {
    let (socket, console) = console_socket()?;
    let mut running = exec_in(instance, process, Io::ConsoleSocket(socket), request.privileged)?;
    let relay = Relay::new(console.receive()?, request.interactive, &request.detach_keys)?;
    match relay.run(|| Ok(running.try_wait()?))? {
        Relayed::Ended(status) => Ok(Some(status)),
        Relayed::Detached(output) => {
            keep(&running, output)?;
            Ok(None)
        }
    }
}

/// Leaves a process that holds the terminal of a program that nobody watches any more: without one it would be hung up.
fn keep(running: &container::Running, mut output: crate::supervisor::Output) -> Result<(), Error> {
    // The caller's terminal may go before the new process has left its session.
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT].into_iter().for_each(sys::ignore);
    match sys::fork().map_err(|e| Error::System("leaving the program", e))? {
        Fork::Parent(_) => Ok(()),
        Fork::Child => {
            let _ = rustix::process::setsid();
            sys::release_streams();
            loop {
                let mut fds = vec![PollFd::from_borrowed_fd(running.pidfd(), PollFlags::IN)];
                fds.extend(output.readers().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
                let _ = poll(&mut fds, None);
                if !fds[0].revents().is_empty() {
                    sys::exit_now(0);
                }
                output.drain(|_, _| {});
            }
        }
    }
}

/// The command's own streams; without `-i` the program reads nothing.
fn inherited(request: &ExecRequest) -> Result<Stdio, Error> {
    let system = |errno: rustix::io::Errno| Error::System("preparing the standard streams", errno.into());
    let copy = |fd: &dyn AsFd| -> Result<OwnedFd, Error> { fcntl_dupfd_cloexec(fd.as_fd(), 3).map_err(system) };
    let null = |flags| {
        use rustix::fs::{Mode, OFlags, open};
        open("/dev/null", flags | OFlags::CLOEXEC, Mode::empty()).map_err(system)
    };
    let stdin = if request.interactive { copy(&std::io::stdin())? } else { null(rustix::fs::OFlags::RDONLY)? };
    if request.detach {
        // What goes on in the background does not hold its caller's pipes open.
        return Ok(Stdio {
            stdin,
            stdout: null(rustix::fs::OFlags::WRONLY)?,
            stderr: null(rustix::fs::OFlags::WRONLY)?,
        });
    }
    Ok(Stdio { stdin, stdout: copy(&std::io::stdout())?, stderr: copy(&std::io::stderr())? })
}
