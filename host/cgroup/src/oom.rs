//! Notices that the memory limit was reached.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::EventfdFlags;
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::files::Directory;
use crate::group::Place;
use crate::{Controller, Error, Group};

const FILE: &str = "memory.events";

/// Becomes readable when the kernel finds no memory for the group; poll its descriptor, then [`take`](Self::take).
#[derive(Debug)]
pub struct OomNotifier {
    fd: OwnedFd,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// An eventfd(2) that counts.
    V1 { path: PathBuf },
    /// An inotify(7) on `memory.events`, and the numbers there that are known.
    V2 { events: OwnedFd, path: PathBuf, known: u64 },
}

impl Group {
    /// Notices of the memory controller from now on.
    ///
    /// # Errors
    /// [`Error::MissingController`] for a group without memory controller, [`Error::Watch`] if the kernel refuses.
    pub fn oom_notifier(&self) -> Result<OomNotifier, Error> {
        match self.place(Controller::Memory, "notice of running out of memory")? {
            Place::V1(group) => register_v1(group),
            Place::V2(group) => watch_v2(group),
        }
    }
}

/// `cgroup.event_control` with the descriptors of an eventfd and of `memory.oom_control` (memory.rst of cgroup-v1, 10).
fn register_v1(group: &Directory) -> Result<OomNotifier, Error> {
    let path = group.path().join("memory.oom_control");
    let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|errno| Error::Watch { path: path.clone(), source: errno.into() })?;
    let control = group.open_file("memory.oom_control")?;
    let line = format!("{} {}", fd.as_raw_fd(), control.as_raw_fd());
    group.write("cgroup.event_control", &line)?;
    Ok(OomNotifier { fd, kind: Kind::V1 { path } })
}

/// The file is "modified" when one of its numbers changes.
fn watch_v2(group: &Directory) -> Result<OomNotifier, Error> {
    let path = group.path().join(FILE);
    let watch = || -> rustix::io::Result<OwnedFd> {
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&fd, &path, inotify::WatchFlags::MODIFY)?;
        Ok(fd)
    };
    let fd = watch().map_err(|errno| Error::Watch { path: path.clone(), source: errno.into() })?;
    let events = group.open_file(FILE)?;
    let known = out_of_memory(&group.read_again(FILE, &events)?);
    Ok(OomNotifier { fd, kind: Kind::V2 { events, path, known } })
}

/// How often the limit could not be kept by reclaiming, whether or not somebody was killed for it.
fn out_of_memory(text: &str) -> u64 {
    let number = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.parse::<u64>().ok()).unwrap_or(0);
    number("oom ").max(number("oom_kill "))
}

impl OomNotifier {
    /// How often it happened since the last call; does not wait. When a group is removed, version 1 gives one notice more.
    ///
    /// # Errors
    /// [`Error::Watch`] if the descriptor cannot be read.
    pub fn take(&mut self) -> Result<u64, Error> {
        match &mut self.kind {
            Kind::V1 { path } => {
                let mut count = [0; 8];
                match rustix::io::retry_on_intr(|| rustix::io::read(&self.fd, &mut count)) {
                    Ok(_) => Ok(u64::from_ne_bytes(count)),
                    Err(Errno::AGAIN) => Ok(0),
                    Err(errno) => Err(Error::Watch { path: path.clone(), source: errno.into() }),
                }
            }
            Kind::V2 { events, path, known } => {
                drain(&self.fd).map_err(|errno| Error::Watch { path: path.clone(), source: errno.into() })?;
                let mut text = [0; 512];
                // The group may be gone, and then nothing more happens in it.
                let count = rustix::io::pread(events, &mut text, 0).unwrap_or(0);
                let now = out_of_memory(&String::from_utf8_lossy(&text[..count]));
                let new = now.saturating_sub(*known);
                *known = now.max(*known);
                Ok(new)
            }
        }
    }
}

impl AsFd for OomNotifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Reads all that an inotify has to say; that something changed is known.
fn drain(fd: &OwnedFd) -> rustix::io::Result<()> {
    let mut space = [const { MaybeUninit::<u8>::uninit() }; 512];
    let mut reader = inotify::Reader::new(fd, &mut space);
    loop {
        match reader.next().map(|event| event.file_name().map(CStr::to_bytes).map(<[u8]>::len)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}
