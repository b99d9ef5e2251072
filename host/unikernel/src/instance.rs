use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use plan::{ExitStatus, InstanceId};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::error::Error;

/// A running unikernel. Dropping this leaves it running.
#[derive(Debug)]
pub struct Instance {
    pid: i32,
    pidfd: OwnedFd,
    status: Option<ExitStatus>,
}

impl Instance {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, status: None }
    }

    /// Its process id, seen from the host.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// A descriptor that is readable when it has ended (pidfd_open(2)).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// How the program ended, if it has. The process is reaped by that; the answer stays.
    ///
    /// # Errors
    /// [`Error::Process`] if it is not a child of the caller.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.wait_with(WaitIdOptions::NOHANG)
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// As [`try_wait`](Self::try_wait).
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        loop {
            if let Some(status) = self.wait_with(WaitIdOptions::empty())? {
                return Ok(status);
            }
        }
    }

    fn wait_with(&mut self, options: WaitIdOptions) -> Result<Option<ExitStatus>, Error> {
        if self.status.is_some() {
            return Ok(self.status);
        }
        let waited = rustix::io::retry_on_intr(|| {
            rustix::process::waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | options)
        });
        let status = waited.map_err(|e| self.error(e.into()))?;
        self.status = status.and_then(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Some(ExitStatus::Exited(code as u8)),
            (_, Some(signal)) => Some(ExitStatus::Signaled(signal as u8)),
            _ => None,
        });
        Ok(self.status)
    }

    /// Sends a signal: SIGKILL ends the instance, any other is the program's to handle.
    ///
    /// # Errors
    /// [`Error::Process`]; a process that has ended already is fine.
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        match jail::send_signal(self.pidfd(), signal) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                Err(self.error(error))
            }
            _ => Ok(()),
        }
    }

    /// Kills and reaps an instance whose start failed.
    pub(crate) fn abandon(&mut self) -> Option<ExitStatus> {
        let _ = jail::send_signal(self.pidfd(), Signal::KILL.as_raw());
        self.wait().ok()
    }

    fn error(&self, source: std::io::Error) -> Error {
        Error::Process { pid: self.pid, source }
    }
}

/// Removes everything that an instance may have left on the host, killing what still runs. Nothing there is fine.
///
/// # Errors
/// [`Error::Cgroup`] if a process cannot be ended.
pub fn destroy(id: &InstanceId) -> Result<(), Error> {
    Ok(cgroup::destroy(id)?)
}
