//! Suspension of all processes of a group.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::files::Directory;
use crate::{Controller, Error, Group};

/// How long processes may take to stop. One that is in the kernel without being interruptible stops when it is done.
const PATIENCE: Duration = Duration::from_secs(10);

impl Group {
    /// Suspends or resumes every process of the group, and waits until that is done.
    ///
    /// # Errors
    /// [`Error::MissingController`] on a version 1 machine without the freezer, [`Error::Unfrozen`] if a process does not stop;
    /// the group is then running again.
    pub fn freeze(&self, frozen: bool) -> Result<(), Error> {
        match (&self.unified, self.legacy(Controller::Freezer)) {
            (Some(unified), _) => set_v2(unified, frozen),
            (None, Some(group)) => set_v1(group, frozen),
            (None, None) if self.is_disabled() => Err(Error::Disabled { operation: "pause" }),
            (None, None) => Err(Error::MissingController { controller: Controller::Freezer, option: "pause" }),
        }
    }

    /// Whether the group is suspended.
    pub fn frozen(&self) -> bool {
        match (&self.unified, self.legacy(Controller::Freezer)) {
            (Some(unified), _) => unified.read("cgroup.freeze").is_ok_and(|text| text.trim() == "1"),
            (None, Some(group)) => group.read("freezer.state").is_ok_and(|text| text.trim() != "THAWED"),
            (None, None) => false,
        }
    }
}

/// `cgroup.freeze`, and `frozen` in `cgroup.events` (cgroup-v2.rst), which can be polled.
fn set_v2(group: &Directory, frozen: bool) -> Result<(), Error> {
    let value = if frozen { "1" } else { "0" };
    let wanted = if frozen { "frozen 1" } else { "frozen 0" };
    group.write("cgroup.freeze", value)?;
    let end = Instant::now() + PATIENCE;
    let events = group.open_file("cgroup.events")?;
    while !group.read_again("cgroup.events", &events)?.lines().any(|line| line == wanted) {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let poll = &mut [PollFd::from_borrowed_fd(events.as_fd(), PollFlags::PRI)];
        // An interrupted wait looks again, which is what a notice does.
        let _ = rustix::event::poll(poll, Some(&timeout));
        if left.is_zero() {
            return give_up(group, frozen, || group.write("cgroup.freeze", "0"));
        }
    }
    Ok(())
}

/// `freezer.state` (freezer-subsystem.rst). A group to which processes are added meanwhile may stay `FREEZING` until it is asked
/// once more.
fn set_v1(group: &Directory, frozen: bool) -> Result<(), Error> {
    const FILE: &str = "freezer.state";
    let wanted = if frozen { "FROZEN" } else { "THAWED" };
    let end = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(50);
    loop {
        group.write(FILE, wanted)?;
        if group.read(FILE)?.trim() == wanted {
            return Ok(());
        }
        if Instant::now() > end {
            return give_up(group, frozen, || group.write(FILE, "THAWED"));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn give_up(group: &Directory, frozen: bool, thaw: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    if frozen {
        thaw()?;
    }
    let state = if frozen { "frozen" } else { "running" };
    Err(Error::Unfrozen { path: group.path().to_owned(), state, seconds: PATIENCE.as_secs() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1 on the machine's own hierarchy, in a group of this test.
    #[test]
    fn version_1() {
        let layout = crate::Layout::detect().unwrap_or_default();
        let Some(root) = layout.legacy(Controller::Freezer) else {
            eprintln!("SKIP: no version 1 freezer");
            return;
        };
        let (group, _) =
            Directory::create_below(root, &format!("coracle-test-{}-freezer", std::process::id())).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let result = group
            .write("cgroup.procs", &child.id().to_string())
            .and_then(|()| set_v1(&group, true))
            .and_then(|()| group.read("freezer.state"))
            .and_then(|state| set_v1(&group, false).map(|()| state));
        child.kill().unwrap();
        child.wait().unwrap();
        rustix::fs::rmdir(group.path()).unwrap();
        assert_eq!(result.unwrap().trim(), "FROZEN");
    }
}
