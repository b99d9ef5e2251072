use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use plan::ExitStatus;
use rustix::process::{WaitId, WaitIdOptions};

use crate::error::Error;

/// A program in a container. Dropping this leaves it running.
#[derive(Debug)]
pub struct Running {
    pid: i32,
    pidfd: OwnedFd,
    status: Option<ExitStatus>,
}

impl Running {
    /// A process that stands for a container: its first one, or a supervisor.
    pub fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, status: None }
    }

    /// Its process id, seen from the host.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// A descriptor that is readable when the program has ended (pidfd_open(2)).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// How it ended, if it has. The process is reaped by that; the answer stays.
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
            (None, Some(signal)) => Some(ExitStatus::Signaled(signal as u8)),
            (None, None) => None,
        });
        Ok(self.status)
    }

    /// Sends a signal by its number; one that has ended already is fine. As for any process 1, a signal without a handler
    /// does nothing, except `SIGKILL` and `SIGSTOP`.
    ///
    /// # Errors
    /// [`Error::InvalidSignal`] or [`Error::Process`].
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        if !(1..=64).contains(&signal) {
            return Err(Error::InvalidSignal(signal));
        }
        match jail::send_signal(self.pidfd.as_fd(), signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(self.error(error)),
            _ => Ok(()),
        }
    }

    fn error(&self, source: io::Error) -> Error {
        Error::Process { pid: self.pid, source }
    }
}
