use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, Rlimit, Signal, WaitId, WaitIdOptions};

use crate::error::Error;
use crate::{ExecArgs, report, seccomp};

mod inside;
mod volume;

pub use volume::Volume;

/// A process with nothing: new mount, pid, network, ipc, uts and cgroup namespaces, an empty read-only root, no
/// capabilities, an unprivileged user, `no_new_privs`, and no descriptor that is not listed.
///
/// It becomes process 1 of its namespace by executing a *static* program through a descriptor, so the root needs no file.
#[derive(Debug)]
pub struct EmptyContainer<'a> {
    /// The static program, opened for reading or with `O_PATH`.
    pub program: BorrowedFd<'a>,
    /// Its arguments, its name first.
    pub args: Vec<CString>,
    /// Its environment, `NAME=VALUE`.
    pub env: Vec<CString>,
    /// The descriptors that it inherits, each with the number it has inside. Nothing else is open, not even 0, 1 and 2.
    pub fds: &'a [(BorrowedFd<'a>, RawFd)],
    /// Host directories and files that it sees.
    pub volumes: &'a [Volume<'a>],
    /// The unprivileged user; not 0.
    pub uid: u32,
    /// The unprivileged group; not 0.
    pub gid: u32,
    /// Resource limits, set before privileges are dropped.
    pub rlimits: &'a [(Resource, Rlimit)],
    /// Its control group.
    pub attach: Attach<'a>,
    /// A filter installed at the very end; it must allow `execveat` and `write`.
    pub seccomp: Option<&'a seccomp::Program>,
}

/// An error of whoever puts processes into control groups.
pub type AttachError = Box<dyn std::error::Error + Send + Sync>;

/// How a process comes into its control group before it executes anything.
#[derive(Default)]
pub struct Attach<'a> {
    /// A version 2 group, an open directory: the process is born in it, which costs nothing.
    pub into: Option<BorrowedFd<'a>>,
    /// Called in the parent with the new process id, while the child sets itself up; the child executes its program only
    /// after it has returned. For version 1 groups, where moving a process can take milliseconds.
    pub add: Option<&'a mut dyn FnMut(i32) -> Result<(), AttachError>>,
}

impl std::fmt::Debug for Attach<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attach").field("into", &self.into).field("add", &self.add.is_some()).finish()
    }
}

/// A process in an empty container that has executed its program.
#[derive(Debug)]
pub struct Spawned {
    /// Its process id, seen from here.
    pub pid: i32,
    /// Readable when it has ended; to be reaped with waitid(2).
    pub pidfd: OwnedFd,
}

impl EmptyContainer<'_> {
    /// Makes the process and returns once it has executed its program.
    ///
    /// May be called with several threads running. After an error nothing is left.
    ///
    /// # Errors
    /// [`Error::Stage`] names the step that the child failed at.
    pub fn spawn(mut self) -> Result<Spawned, Error> {
        let volumes = volume::prepare(self.volumes, self.uid, self.gid)?;
        let exec = ExecArgs::new(std::mem::take(&mut self.args), std::mem::take(&mut self.env));
        let mut add = self.attach.add.take();
        let (report_reader, report_writer) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| Error::Pipe(e.into()))?;
        let go = match &add {
            Some(_) => Some(pipe_with(PipeFlags::CLOEXEC).map_err(|e| Error::Pipe(e.into()))?),
            None => None,
        };
        let plan = inside::Plan::new(&self, &volumes, &exec, report_writer.as_fd(), go.as_ref())?;
        let spawned = inside::start(plan, self.attach.into)?;
        drop(report_writer);
        let attached = match (&mut add, go) {
            (Some(add), Some((_, go))) => add(spawned.pid).map_err(Error::Attach).and_then(|()| wake(&go)),
            _ => Ok(()),
        };
        match attached.and_then(|()| report::receive(report_reader)) {
            Ok(()) => Ok(spawned),
            Err(error) => {
                spawned.abandon();
                Err(error)
            }
        }
    }
}

impl Spawned {
    /// Kills and reaps a process whose start failed.
    fn abandon(self) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

/// Lets the child go on.
fn wake(go: &OwnedFd) -> Result<(), Error> {
    rustix::io::write(go, &[1]).map(drop).map_err(|e| Error::Pipe(e.into()))
}
