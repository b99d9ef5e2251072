//! Processes of a group, and signals to all of them.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::files::Directory;
use crate::{Error, Group};

impl Group {
    /// The ids of the group's processes; with those of the groups below that they made, if `recursive`.
    pub fn processes(&self, recursive: bool) -> Vec<i32> {
        let Some(directory) = self.main_directory() else { return Vec::new() };
        let mut pids = Vec::new();
        if recursive {
            walk(directory.path(), &mut |directory| pids.extend(directory.processes()));
        } else {
            pids = directory.processes();
        }
        if let Some(placeholder) = &self.placeholder {
            pids.retain(|pid| *pid as u32 != placeholder.pid());
        }
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Sends a signal to every process, also in groups below.
    ///
    /// # Errors
    /// [`Error::Signal`] if one cannot be signalled. One that has ended meanwhile needs no signal.
    pub fn signal_all(&self, signal: Signal) -> Result<(), Error> {
        for pid in self.processes(true) {
            let Some(id) = Pid::from_raw(pid) else { continue };
            match rustix::process::kill_process(id, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(source) => return Err(Error::Signal { pid, source: source.into() }),
            }
        }
        Ok(())
    }

    /// Ends every process of the group at once, also a suspended one.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Read`] or [`Error::Signal`].
    pub fn kill(&self) -> Result<(), Error> {
        if let Some(unified) = &self.unified
            && unified.write_if_exists("cgroup.kill", "1")?
        {
            return Ok(());
        }
        // Nothing may be born between reading the list and sending the signals.
        let held = self.freeze(true).is_ok();
        let sent = self.signal_all(Signal::KILL);
        if held || self.frozen() {
            self.freeze(false)?;
        }
        sent
    }

    /// The hierarchy that tells who is in the group.
    fn main_directory(&self) -> Option<&Directory> {
        self.unified.as_ref().or(self.legacy.first().map(|legacy| &legacy.directory))
    }
}

/// Visits a group and those below it.
fn walk(path: &Path, visit: &mut dyn FnMut(&Directory)) {
    let Ok(Some(directory)) = Directory::open(path.to_owned()) else { return };
    visit(&directory);
    for child in children(path) {
        walk(&child, visit);
    }
}

/// The directories of the groups below.
pub(crate) fn children(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}
