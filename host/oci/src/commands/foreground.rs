//! Staying with a program: its terminal, its signals, its exit status.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use plan::ExitStatus;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitOptions};

use crate::commands::relay::Relay;
use crate::commands::terminal;
use crate::error::Error;
use crate::sys;

/// What has to be in place before the program is made: no signal may fall between its start and our care for it.
#[derive(Debug)]
pub(crate) struct Foreground {
    signals: OwnedFd,
    console: Option<OwnedFd>,
    reap: bool,
}

impl Foreground {
    /// Blocks signals, which the program's own process undoes for itself. With `adopt`, the program's orphans become this
    /// process's (PR_SET_CHILD_SUBREAPER) and are reaped: needed where it has no process namespace of its own.
    pub(crate) fn prepare(adopt: bool) -> Result<Self, Error> {
        let signals = sys::all_signals().map_err(|source| Error::System { action: "wait for signals", source })?;
        if adopt {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
                .map_err(Error::system("become the reaper of orphans"))?;
        }
        Ok(Self { signals, console: None, reap: adopt })
    }

    /// The socket over which the program's new terminal is sent to here.
    pub(crate) fn console(&mut self) -> Result<OwnedFd, Error> {
        let (ours, theirs) = terminal::pair()?;
        self.console = Some(ours);
        Ok(theirs)
    }

    /// Stays until the program, a child of this process, has ended.
    pub(crate) fn attend(self, pid: i32, program: BorrowedFd<'_>) -> Result<ExitStatus, Error> {
        let mut relay = match &self.console {
            Some(socket) => Some(Relay::new(terminal::receive(socket)?)),
            None => None,
        };
        if let Some(relay) = &relay {
            terminal::copy_size(relay.manager());
        }
        // Given back when this function returns, whatever happens.
        let _raw = relay.as_ref().and_then(|_| terminal::Raw::enter());
        loop {
            self.wait(program, relay.as_ref())?;
            while let Some(signal) = sys::next_signal(&self.signals) {
                forward(signal, program, relay.as_ref())?;
            }
            if let Some(relay) = &mut relay {
                relay.turn();
            }
            let status = if self.reap { reap(pid) } else { try_wait(program)? };
            if let Some(status) = status {
                if let Some(relay) = &mut relay {
                    relay.drain();
                }
                return Ok(status);
            }
        }
    }

    fn wait(&self, program: BorrowedFd<'_>, relay: Option<&Relay>) -> Result<(), Error> {
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(program, PollFlags::IN),
        ];
        fds.extend(relay.map(Relay::wants).into_iter().flatten());
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(Error::system("wait for the program")(error)),
        }
    }
}

fn forward(signal: i32, program: BorrowedFd<'_>, relay: Option<&Relay>) -> Result<(), Error> {
    match (signal, relay) {
        (libc::SIGCHLD, _) => Ok(()),
        (libc::SIGWINCH, Some(relay)) => {
            terminal::copy_size(relay.manager());
            Ok(())
        }
        // Of this process's own doing, for example a closed standard output.
        (libc::SIGPIPE, _) => Ok(()),
        _ => match jail::send_signal(program, signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::System { action: "pass a signal on", source: error })
            }
            _ => Ok(()),
        },
    }
}

/// How the program ended, if it has.
fn try_wait(program: BorrowedFd<'_>) -> Result<Option<ExitStatus>, Error> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(program), options))
        .map_err(Error::system("wait for the program"))?;
    Ok(status.and_then(|status| match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(ExitStatus::Exited(code as u8)),
        (None, Some(signal)) => Some(ExitStatus::Signaled(signal as u8)),
        (None, None) => None,
    }))
}

/// How the program ended, if it has. Adopted processes that have ended are reaped on the way.
fn reap(program: i32) -> Option<ExitStatus> {
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid.as_raw_nonzero().get() == program {
            return ExitStatus::from_wait_status(status.as_raw());
        }
    }
    None
}
