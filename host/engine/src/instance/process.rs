use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::instance::files::read_small;

/// A host process, told apart from later ones with the same number by its start time and the boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// The process id.
    pub(crate) pid: i32,
    /// Its start in clock ticks after boot: field 22 of `/proc/PID/stat` (proc(5)).
    pub(crate) start_time: u64,
    /// The boot in which it was started.
    pub(crate) boot: String,
}

impl ProcessId {
    /// The identity of a living process.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, start_time: start_time(pid)?, boot: boot_id().to_owned() })
    }

    /// A descriptor of the process, if it still lives.
    pub(crate) fn open(&self) -> Option<OwnedFd> {
        let fd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // Opened first and compared afterwards: if the number was recycled in between, the comparison sees the new one.
        (start_time(self.pid) == Some(self.start_time) && self.boot == boot_id()).then_some(fd)
    }

    /// Whether it lives.
    pub(crate) fn is_alive(&self) -> bool {
        self.open().is_some()
    }

    /// Sends a signal; nothing happens if it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(fd) = self.open() {
            let _ = pidfd_send_signal(&fd, signal);
        }
    }
}

/// `None` for a process that has ended, also if nobody has waited for it yet (a zombie).
fn start_time(pid: i32) -> Option<u64> {
    let stat = String::from_utf8_lossy(&read_small(Path::new(&format!("/proc/{pid}/stat"))).ok()?).into_owned();
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The random identity of this boot; empty where the kernel has none.
fn boot_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let id = read_small(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
        String::from_utf8_lossy(&id).trim().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(child.id() as i32).unwrap();
        assert!(id.is_alive());
        let other = ProcessId { start_time: id.start_time + 1, ..id.clone() };
        assert!(!other.is_alive(), "another start time is another process");
        id.signal(Signal::KILL);
        child.wait().unwrap();
        assert!(!id.is_alive());
    }
}
