use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use plan::{ExitStatus, Isolation, LaunchPlan, Stdio};
use rustix::event::{PollFd, PollFlags};

use crate::error::{Error, chain};

/// Guest kernels that `coracle kernel install` has installed.
const KERNELS: &str = "/var/lib/coracle/kernels";

/// A program that runs in a kernel of its own.
pub(super) enum Instance {
    Unikernel(unikernel::Instance),
    Microvm(Box<microvm::Vm>),
}

fn failed(error: impl std::error::Error + 'static) -> Error {
    Error::Instance(chain(&error))
}

/// Starts it, and returns when its program runs.
pub(super) fn launch(plan: &LaunchPlan, io: Stdio) -> Result<Instance, Error> {
    match plan.isolation {
        Isolation::Microvm => {
            let kernel = microvm::kernel::locate(Path::new(KERNELS)).map_err(failed)?;
            let vm = microvm::start(plan, io, None, &kernel, &guest_program("coracle-agent")).map_err(failed)?;
            Ok(Instance::Microvm(Box::new(vm)))
        }
        _ => {
            let extra = unikernel::Extra {
                etc_hosts: format!("127.0.0.1\tlocalhost {}\n::1\tlocalhost\n", plan.hostname),
                ..unikernel::Extra::default()
            };
            let program = guest_program("coracle-unikernel");
            unikernel::start(plan, io, None, &program, &extra).map(Instance::Unikernel).map_err(failed)
        }
    }
}

/// Guest programs lie beside this one, or in `../libexec/coracle` of where it is installed; `CORACLE_LIBEXEC` overrides both.
fn guest_program(name: &str) -> PathBuf {
    if let Some(directory) = std::env::var_os("CORACLE_LIBEXEC") {
        return Path::new(&directory).join(name);
    }
    let own = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)).unwrap_or_default();
    let installed = own.join("../libexec/coracle").join(name);
    if installed.exists() { installed } else { own.join(name) }
}

impl Instance {
    /// What to poll for.
    pub(super) fn poll_fds(&self) -> Vec<PollFd<'_>> {
        match self {
            Self::Unikernel(instance) => vec![PollFd::from_borrowed_fd(instance.pidfd(), PollFlags::IN)],
            Self::Microvm(vm) => vm.poll_fds(),
        }
    }

    /// The exit status once the program has ended.
    pub(super) fn turn(&mut self) -> Result<Option<ExitStatus>, Error> {
        match self {
            Self::Unikernel(instance) => instance.try_wait().map_err(failed),
            Self::Microvm(vm) => vm.handle_ready().map_err(failed),
        }
    }

    pub(super) fn signal(&mut self, signal: i32) {
        match self {
            // It may have ended meanwhile.
            Self::Unikernel(instance) => drop(instance.signal(signal)),
            Self::Microvm(vm) => vm.signal(signal),
        }
    }

    /// Tells a guest that the size of its terminal has changed.
    pub(super) fn resize(&mut self, terminal: Option<&OwnedFd>) {
        if let Self::Microvm(vm) = self
            && let Some(size) = terminal.and_then(|fd| rustix::termios::tcgetwinsize(fd).ok())
        {
            vm.resize(size.ws_col, size.ws_row);
        }
    }
}
