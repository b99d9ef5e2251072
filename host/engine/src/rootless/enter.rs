//! Making and joining user namespaces.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::ThreadNameSpaceType;

use super::ids::{self, IdError, Range};
use crate::Error;
use crate::sys::{self, Fork};

const SUBUID: &str = "/etc/subuid";
const SUBGID: &str = "/etc/subgid";

/// Enters the user namespace, and the mounts, of a process that this user started.
pub(super) fn join(supervisor: &OwnedFd) -> Result<(), Error> {
    let both = ThreadNameSpaceType::USER | ThreadNameSpaceType::MOUNT;
    rustix::thread::move_into_thread_name_spaces(supervisor.as_fd(), both)
        .map_err(|e| Error::System("entering the instance's user namespace", e.into()))
}

/// Makes a user namespace and one for mounts.
pub(super) fn new() -> Result<(), Error> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let ranges = (ids::ranges(SUBUID, uid), ids::ranges(SUBGID, uid));
    let error = |e| Error::System("making a user namespace (is kernel.unprivileged_userns_clone 1?)", e);
    if ranges.0.is_empty() || ranges.1.is_empty() {
        sys::unshare_user_and_mounts().map_err(error)?;
        map_own(uid, gid).map_err(|e| Error::System("mapping the user's own id", e))?;
        return settle();
    }
    let helper = Helper::start((uid, &ranges.0), (gid, &ranges.1))?;
    sys::unshare_user_and_mounts().map_err(error)?;
    helper.map()?;
    // The user's other groups have no names in here.
    let _ = rustix::thread::set_thread_groups(&[]);
    settle()
}

/// Only one's own id can be mapped without help: a program of another user cannot be run then.
fn map_own(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// What is mounted in here stays in here; what the host mounts appears.
fn settle() -> Result<(), Error> {
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|e| Error::System("making the mounts private", e.into()))
}

/// A process outside of the new namespace: the programs that map ids must be run there.
struct Helper {
    go: fs::File,
    answer: fs::File,
    pid: i32,
}

impl Helper {
    fn start(users: (u32, &[Range]), groups: (u32, &[Range])) -> Result<Self, Error> {
        let pipe = || {
            let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                .map_err(|e| Error::System("making a pipe", e.into()))?;
            Ok::<_, Error>((fs::File::from(read), fs::File::from(write)))
        };
        let ((mut wait, go), (answer, mut tell)) = (pipe()?, pipe()?);
        let parent = std::process::id();
        match sys::fork().map_err(|e| Error::System("starting a helper", e))? {
            Fork::Parent(pid) => Ok(Self { go, answer, pid }),
            Fork::Child => {
                drop((go, answer));
                let mut byte = [0];
                if wait.read_exact(&mut byte).is_ok() {
                    let result =
                        map("newuidmap", SUBUID, parent, users).and_then(|()| map("newgidmap", SUBGID, parent, groups));
                    let text = result.err().map_or_else(|| "ok".to_owned(), |error| error.to_string());
                    let _ = tell.write_all(text.as_bytes());
                }
                sys::exit_now(0)
            }
        }
    }

    fn map(mut self) -> Result<(), Error> {
        let mut text = String::new();
        let asked = self.go.write_all(&[1]).and_then(|()| self.answer.read_to_string(&mut text));
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid) {
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        }
        asked.map_err(|e| Error::System("talking to the helper that maps ids", e))?;
        if text == "ok" { Ok(()) } else { Err(Error::Invalid(text)) }
    }
}

fn map(program: &'static str, file: &'static str, pid: u32, (own, ranges): (u32, &[Range])) -> Result<(), IdError> {
    let refused = |message: String| IdError::Refused { program, file, message };
    let mut command = Command::new(program);
    command.arg(pid.to_string()).args(ids::arguments(own, ranges)).stdin(Stdio::null());
    let output = command.output().map_err(|e| refused(format!("{e} (install the package uidmap)")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
