//! What a virtual machine leaves in its state directory, and cleaning it up.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use plan::InstanceId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Names the processes, so that they are found after a crash of their supervisor.
const RECORD: &str = "vm.json";

/// Everything that this level puts into the state directory.
const LEFTOVERS: [&str; 5] = [RECORD, "console.log", "qemu.log", "virtiofsd.log", "virtiofs.sock"];

/// A process, told apart from later ones with the same number by its start time (field 22 of /proc/PID/stat).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessMark {
    pid: u32,
    start_time: u64,
}

/// The processes of a virtual machine.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    processes: Vec<ProcessMark>,
}

/// Notes the processes of the virtual machine.
pub(crate) fn remember(state_dir: &Path, pids: &[u32]) -> Result<(), Error> {
    let processes = pids.iter().filter_map(|pid| ProcessMark::of(*pid)).collect();
    let text = serde_json::to_vec(&Record { processes }).unwrap_or_default();
    let path = state_dir.join(RECORD);
    fs::write(&path, text).map_err(Error::file("writing", path))
}

/// Ends whatever still runs of this instance's virtual machine and removes its control group and its files in
/// `state_dir`.
///
/// May be called at any time and again; does nothing if there is nothing. QEMU ends with its supervisor anyway; this is
/// for what a crash of the machine's kernel or a debugger leaves behind.
pub fn destroy(id: &InstanceId, state_dir: &Path) -> Result<(), Error> {
    let record = fs::read(state_dir.join(RECORD)).unwrap_or_default();
    let record: Record = serde_json::from_slice(&record).unwrap_or_default();
    for process in record.processes {
        process.kill().map_err(Error::system("ending a process of the virtual machine"))?;
    }
    if rustix::process::geteuid().is_root() {
        cgroup::destroy(id)?;
    }
    for name in LEFTOVERS {
        ignore_missing(fs::remove_file(state_dir.join(name))).map_err(Error::file("removing", state_dir.join(name)))?;
    }
    let tree: PathBuf = state_dir.join("volumes");
    ignore_missing(fs::remove_dir(&tree)).map_err(Error::file("removing", tree))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl ProcessMark {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self { pid, start_time: start_time(&stat)? })
    }

    fn kill(self) -> rustix::io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid.cast_signed()) else { return Ok(()) };
        // The descriptor is opened before the comparison: from then on it means one process.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
        if Self::of(self.pid) != Some(self) {
            return Ok(());
        }
        match pidfd_send_signal(&process, Signal::KILL) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => other,
        }
    }
}

/// Field 22 of proc_pid_stat(5). The second field is a name in parentheses that may itself hold blanks and parentheses.
fn start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let fields: Vec<String> = (3..30).map(|n| n.to_string()).collect();
        assert_eq!(start_time(&format!("7 (a) b) {}", fields.join(" "))), Some(22));
        assert_eq!(start_time(""), None);
    }

    #[test]
    fn a_remembered_process_is_ended_and_a_stranger_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let id = InstanceId::from_bytes([1; 32]);
        let mut ours = Command::new("/bin/sleep").arg("100").spawn().unwrap();
        remember(dir.path(), &[ours.id()]).unwrap();
        destroy(&id, dir.path()).unwrap();
        assert!(!ours.wait().unwrap().success());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        destroy(&id, dir.path()).unwrap();

        let mut stranger = Command::new("/bin/sleep").arg("100").spawn().unwrap();
        let mark = ProcessMark { pid: stranger.id(), start_time: 1 };
        fs::write(dir.path().join(RECORD), serde_json::to_vec(&Record { processes: vec![mark] }).unwrap()).unwrap();
        destroy(&id, dir.path()).unwrap();
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
