use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use jail::{Cloned, Namespaces};
use oci_spec::runtime::{ContainerState, Hook, LinuxNamespaceType as Type, State};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::error::Error;
use crate::first::{self, Context};
use crate::message::{self, Order, Progress};
use crate::process::{Prepared, Settings};
use crate::request::{Io, Request};
use crate::running::Running;
use crate::spec::{InvalidSpec, Setup};
use crate::{hooks, mounts, netlink, rdt, start};

mod identities;
mod joined;
mod launcher;

/// A container whose program has not started. Dropping it ends its first process; its control groups are the caller's.
#[derive(Debug)]
pub struct Created {
    pid: i32,
    /// `None` once it is somebody else's to end.
    pidfd: Option<OwnedFd>,
    socket: OwnedFd,
    /// What to run when the first process has come to it.
    hooks: Option<RuntimeHooks>,
    /// Its class of service, if it has one.
    class: Option<rdt::Class>,
    built: bool,
}

#[derive(Debug)]
struct RuntimeHooks {
    prestart: Vec<Hook>,
    create_runtime: Vec<Hook>,
    state: State,
}

/// Makes a container: its namespaces and its first process, which sets itself up while this function returns.
///
/// The caller must be single-threaded. The whole specification is checked before anything is made.
///
/// # Errors
/// What can be told before the child has done its part; the rest comes from [`Created::wait_ready`] and
/// [`Created::start`]. No process is left after one; the groups are the caller's to remove.
pub fn create(request: &Request<'_>) -> Result<Created, Error> {
    let setup = Setup::new(request.spec)?;
    let options = request.options;
    let settings = Settings {
        no_new_keyring: options.no_new_keyring,
        preserve_fds: options.preserve_fds,
        listen_fds: options.listen_fds,
        further: false,
    };
    let process = request.spec.process().as_ref().ok_or_else(|| InvalidSpec::missing("process"))?;
    let mut process = Prepared::new(process, request.spec.linux().as_ref(), settings)?;
    if options.default_filter {
        process.use_default_filter()?;
    }
    if matches!(request.io, Io::ConsoleSocket(_)) && !process.terminal() {
        let problem = crate::spec::Problem::Needs("true, because there is a console socket");
        return Err(InvalidSpec::new("process.terminal", problem).into());
    }
    let root = first::root::Source::open(request, &setup)?;
    let sources = mounts::bind_sources(&setup, request.bundle)?;
    let joined = joined::open(&setup.namespaces)?;
    let listener = options.state_dir.map(start::listen).transpose()?;
    let (socket, child_socket) = message::pair()?;
    let context = Context {
        id: request.id,
        spec: request.spec,
        setup: &setup,
        bundle: request.bundle,
        process,
        root,
        sources,
        joined,
        io: &request.io,
        cgroup: request.cgroup,
        mover: request.cgroup.mover()?,
        no_pivot: options.no_pivot,
        listener,
        socket: child_socket,
    };
    let mut created = clone(context, socket)?;
    if setup.namespaces.is_new(Type::User) {
        identities::map(created.pid, &setup.namespaces).map_err(Error::IdMappings)?;
        message::send_go(&created.socket)?;
    }
    created.finish(request, &setup)?;
    Ok(created)
}

fn clone(context: Context<'_>, socket: OwnedFd) -> Result<Created, Error> {
    let hooks = runtime_hooks(&context);
    let (pid, pidfd) = if context.setup.namespaces.joins(Type::User).is_some() {
        launcher::launch(context, &socket)?
    } else {
        let namespaces = Namespaces::from_flags(context.setup.namespaces.clone_flags());
        let pid_namespace = context.joined.iter().find(|(kind, _)| *kind == Type::Pid).map(|(_, fd)| fd.as_fd());
        let birth = context.cgroup.birth_directory();
        match joined::born_in(pid_namespace, || jail::clone_process(namespaces, birth))? {
            Cloned::Child => {
                drop(socket);
                first::run(context)
            }
            Cloned::Parent { pid, pidfd } => {
                if context.setup.namespaces.is_new(Type::User) {
                    context.process.help(pid);
                }
                (pid, pidfd)
            }
        }
    };
    Ok(Created { pid, pidfd: Some(pidfd), socket, hooks, class: None, built: false })
}

#[allow(deprecated, reason = "prestart hooks are still part of the specification")]
fn runtime_hooks(context: &Context<'_>) -> Option<RuntimeHooks> {
    let hooks = context.spec.hooks().as_ref().filter(|_| first::has_runtime_hooks(context.spec))?;
    Some(RuntimeHooks {
        prestart: hooks.prestart().clone().unwrap_or_default(),
        create_runtime: hooks.create_runtime().clone().unwrap_or_default(),
        state: first::state(context.id, context.spec, context.bundle, ContainerState::Creating, 0),
    })
}

impl Created {
    /// What only the caller's rights on the host can do for the new process.
    fn finish(&mut self, request: &Request<'_>, setup: &Setup<'_>) -> Result<(), Error> {
        if let Some(hooks) = &mut self.hooks {
            hooks.state.set_pid(Some(self.pid));
        }
        if let Some(rdt) = request.spec.linux().as_ref().and_then(|linux| linux.intel_rdt().as_ref()) {
            self.class = Some(rdt::enter(rdt, request.id, self.pid)?);
        }
        if !setup.net_devices.is_empty() {
            let namespace = self.netns()?;
            netlink::move_devices(self.pidfd()?, namespace.as_fd(), &setup.net_devices).map_err(Error::NetDevices)?;
        }
        Ok(())
    }

    /// The first process, seen from the host.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The first process.
    ///
    /// # Errors
    /// [`Error::Died`] if it is not this value's any more.
    pub fn pidfd(&self) -> Result<BorrowedFd<'_>, Error> {
        self.pidfd.as_ref().map(AsFd::as_fd).ok_or(Error::Died)
    }

    /// Opens the network namespace, for interfaces to be moved into it before the program starts.
    ///
    /// # Errors
    /// [`Error::Process`] if the process has ended already; [`start`](Self::start) tells why.
    pub fn netns(&self) -> Result<OwnedFd, Error> {
        let file = File::open(PathBuf::from(format!("/proc/{}/ns/net", self.pid)));
        file.map(OwnedFd::from).map_err(|source| Error::Process { pid: self.pid, source })
    }

    /// Returns when everything is in place, the hooks `prestart` and `createRuntime` have run, and only the program is to be
    /// executed.
    ///
    /// # Errors
    /// [`Error::Stage`], [`Error::Hook`], or why the program cannot be executed.
    pub fn wait_ready(&mut self) -> Result<(), Error> {
        while !self.built {
            match message::receive_progress(&self.socket)? {
                Progress::Built => self.built = true,
                Progress::AtHooks => {
                    if let Some(all) = self.hooks.take() {
                        hooks::run("prestart", &all.prestart, &all.state)?;
                        hooks::run("createRuntime", &all.create_runtime, &all.state)?;
                    }
                    message::send_go(&self.socket)?;
                }
            }
        }
        Ok(())
    }

    /// Lets the program start, and returns when it has been executed. The hooks `poststart` are the caller's to run.
    ///
    /// # Errors
    /// As [`wait_ready`](Self::wait_ready).
    pub fn start(mut self) -> Result<Running, Error> {
        if self.hooks.is_some() {
            self.wait_ready()?;
        }
        message::send_go(&self.socket)?;
        message::receive(&self.socket)?;
        match self.pidfd.take() {
            Some(pidfd) => Ok(Running::new(self.pid, pidfd)),
            None => Err(Error::Died),
        }
    }

    /// Leaves the first process waiting for [`start`](crate::start), as `create` of the OCI specification does.
    ///
    /// # Errors
    /// As [`wait_ready`](Self::wait_ready). [`Options::state_dir`](crate::Options) must have been given.
    pub fn leave(mut self) -> Result<Running, Error> {
        self.wait_ready()?;
        message::send_order(&self.socket, Order::Leave)?;
        message::receive_left(&self.socket)?;
        match self.pidfd.take() {
            Some(pidfd) => Ok(Running::new(self.pid, pidfd)),
            None => Err(Error::Died),
        }
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        if let Some(pidfd) = &self.pidfd {
            let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
            let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            if let Some(class) = &self.class {
                class.remove();
            }
        }
    }
}
