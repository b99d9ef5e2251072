//! The root of a container for commands that read and write its files from outside. Nothing of these is attached anywhere.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::OpenTreeFlags;
use rustix::thread::LinkNameSpaceType;

use crate::error::{Error, Stage};
use crate::{first, image};

/// The root of a container that does not run: its image and the layer that it left in `layer`. The caller makes sure that it is
/// not started meanwhile. Needs Linux 6.15, as overlayfs does for mounts that are attached nowhere.
///
/// # Errors
/// [`Error::Image`] if the image cannot be mounted, [`Error::Stage`] if the layer cannot.
pub fn stopped_root(erofs: &Path, layer: &Path) -> Result<OwnedFd, Error> {
    let image = image::mount(erofs)?;
    first::layers::reopen(&image, layer).map_err(failed)
}

/// The root of a running container as its processes see it, with everything that is mounted in it.
///
/// # Errors
/// [`Error::Process`] if the process has ended.
pub fn running_root(pid: i32) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty())
        .map_err(|errno| Error::Process { pid, source: errno.into() })
}

/// The root of a running container without what is mounted in it: a copy of that one mount.
///
/// The calling process must have one thread: it looks into the container's mounts for a moment.
///
/// # Errors
/// [`Error::Stage`] if the container has ended.
pub fn bare_root(pidfd: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let look = || -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let own = rustix::fs::open("/proc/self/ns/mnt", flags, Mode::empty())?;
        let here = rustix::fs::open(".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        rustix::thread::move_into_thread_name_spaces(pidfd, rustix::thread::ThreadNameSpaceType::MOUNT)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let root = rustix::mount::open_tree(CWD, "/", flags);
        rustix::thread::move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Mount))?;
        rustix::process::fchdir(&here)?;
        root
    };
    look().map_err(|errno| failed(errno.into()))
}

fn failed(source: io::Error) -> Error {
    Error::Stage { stage: Stage::RootFs, detail: "opening the container's root".to_owned(), source }
}
