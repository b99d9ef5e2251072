use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use cgroup::{Cgroup, Devices};
use jail::{Cloned, ExecArgs, Namespaces};
use plan::{InstanceId, LaunchPlan, Stdio};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use super::init;
use crate::error::Error;
use crate::running::Running;
use crate::{image, message};

/// Host files that the engine writes for a container, bound over the image's.
#[derive(Debug, Clone, Default)]
pub struct EtcFiles {
    /// For `/etc/hosts`.
    pub hosts: Option<PathBuf>,
    /// For `/etc/hostname`.
    pub hostname: Option<PathBuf>,
    /// For `/etc/resolv.conf`.
    pub resolv_conf: Option<PathBuf>,
}

/// A container whose program has not started. Dropping it ends it and leaves nothing.
#[derive(Debug)]
pub struct Created {
    pid: i32,
    /// `None` once it has become a [`Running`].
    pidfd: Option<OwnedFd>,
    socket: OwnedFd,
    id: InstanceId,
}

/// Makes a container: its control groups, its namespaces and its first process, which sets itself up while this function
/// returns.
///
/// The caller must be single-threaded and hold `CAP_SYS_ADMIN`. `plan.state_dir` must exist; the writable layer is kept in
/// its directories `upper` and `work`.
///
/// # Errors
/// What can be told before the child has done its part; the rest comes from [`Created::start`]. Nothing is left after one.
pub fn create(plan: &LaunchPlan, io: Stdio, etc: &EtcFiles) -> Result<Created, Error> {
    let exec = exec_args(&plan.process)?;
    let filter = jail::seccomp::container_default()?;
    let image = image::mount(&plan.rootfs.erofs)?;
    let cgroup = Cgroup::create(&plan.id, &plan.resources, Devices::ContainerDefault)?;
    let made = clone(plan, etc, &io, &cgroup, init::Prepared { exec, filter, image });
    if made.is_err() {
        // The first error is the one to tell; what cannot be removed now is found by `orphans`.
        let _ = cgroup::destroy(&plan.id);
    }
    made
}

fn clone(
    plan: &LaunchPlan,
    etc: &EtcFiles,
    io: &Stdio,
    cgroup: &Cgroup,
    prepared: init::Prepared,
) -> Result<Created, Error> {
    let (socket, child_socket) = message::pair()?;
    match jail::clone_process(Namespaces::ISOLATED, cgroup.birth_directory())? {
        Cloned::Child => {
            drop(socket);
            init::run(&init::Context { plan, etc, io, cgroup, prepared, socket: &child_socket })
        }
        Cloned::Parent { pid, pidfd } => {
            let created = Created { pid, pidfd: Some(pidfd), socket, id: plan.id.clone() };
            if cgroup.birth_directory().is_none() || cgroup.needs_move() {
                cgroup.move_born(pid)?;
            }
            Ok(created)
        }
    }
}

/// The program's vectors as the kernel takes them.
pub(crate) fn exec_args(process: &plan::Process) -> Result<ExecArgs, Error> {
    if process.args.is_empty() {
        return Err(Error::NoProgram);
    }
    let convert = |strings: &[String]| {
        let one = |text: &String| CString::new(text.as_str()).map_err(|_| Error::ZeroByte(text.clone()));
        strings.iter().map(one).collect::<Result<Vec<_>, _>>()
    };
    Ok(ExecArgs::new(convert(&process.args)?, convert(&process.env)?))
}

impl Created {
    /// The first process, seen from the host.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Opens the network namespace, for interfaces to be moved into it before the program starts.
    ///
    /// # Errors
    /// [`Error::Process`] if the process has ended already; [`start`](Self::start) tells why.
    pub fn netns(&self) -> Result<OwnedFd, Error> {
        let file = File::open(format!("/proc/{}/ns/net", self.pid));
        file.map(OwnedFd::from).map_err(|source| Error::Process { pid: self.pid, source })
    }

    /// Lets the program start, and returns when it has.
    ///
    /// # Errors
    /// [`Error::Stage`] or why the program cannot be executed; nothing is left after one.
    pub fn start(mut self) -> Result<Running, Error> {
        message::send_go(&self.socket)?;
        message::receive(&self.socket)?;
        match self.pidfd.take() {
            Some(pidfd) => Ok(Running::new(self.pid, pidfd)),
            None => Err(Error::Died),
        }
    }

    fn abandon(&self, pidfd: BorrowedFd<'_>) {
        let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
        let _ = rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED);
        let _ = cgroup::destroy(&self.id);
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        if let Some(pidfd) = &self.pidfd {
            self.abandon(pidfd.as_fd());
        }
    }
}
