use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

/// A process that is not mistaken for another one with the same number: its id and its start time in clock ticks after boot
/// (proc_pid_stat(5), field 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    pub(crate) started: u64,
}

impl Identity {
    /// Of a process that is known to live.
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        let stat = Stat::read(pid)?;
        Ok(Self { pid, started: stat.started })
    }

    /// The process, if it is still there and has not ended.
    pub(crate) fn open(self) -> io::Result<Option<Process>> {
        let pid = Pid::from_raw(self.pid).filter(|_| self.pid > 0).ok_or(Errno::SRCH)?;
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            // EINVAL: the number is a thread's now.
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The descriptor is opened first: if the start time is right then, the descriptor is the process's.
        match Stat::read(self.pid) {
            Ok(stat) if stat.started == self.started && !stat.ended => Ok(Some(Process { pid: self.pid, pidfd })),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A living process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pidfd: OwnedFd,
}

impl Process {
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Sends a signal; false if it has ended meanwhile.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<bool> {
        match jail::send_signal(self.pidfd(), signal) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

struct Stat {
    started: u64,
    /// A zombie or dead.
    ended: bool,
}

impl Stat {
    fn read(pid: i32) -> io::Result<Self> {
        // One line, far shorter than this, which the kernel gives in one piece.
        let mut text = [0; 1024];
        let file = rustix::fs::open(format!("/proc/{pid}/stat"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let length = rustix::io::read(&file, &mut text)?;
        Self::parse(&text[..length]).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        // The program's name in parentheses may contain anything, so count from the last one.
        let name_end = text.iter().rposition(|byte| *byte == b')')?;
        let mut fields = std::str::from_utf8(text.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        Some(Self { started, ended: matches!(state, "Z" | "X" | "x") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses() {
        let line = b"42 (a) Z (b)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        let stat = Stat::parse(line).unwrap();
        assert!(stat.started == 4711 && !stat.ended);
        assert!(Stat::parse(b"42 (a) S 1").is_none() && Stat::parse(b"").is_none());
    }

    #[test]
    fn a_reused_number_is_another_process() {
        let own = Identity::of(std::process::id() as i32).unwrap();
        assert!(own.open().unwrap().is_some());
        assert!(Identity { started: own.started + 1, ..own }.open().unwrap().is_none());
    }
}
