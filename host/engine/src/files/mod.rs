//! The files of a container, from outside: copied, compared, exported, made into images.
//!
//! Whoever wrote the container's files may have made any of them a link to anywhere, and may change them meanwhile. So every
//! path is resolved by descriptor inside the container's root (openat2(2), `RESOLVE_IN_ROOT`), directories are walked by
//! descriptor without following links, and what was opened is looked at before it is used.

mod archive;
mod changes;
mod commit;
mod copy;
mod export;
mod extract;
mod put;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

pub use changes::{Change, ChangeKind};
pub use commit::CommitRequest;
pub use copy::{CopyEnd, CopyOptions, ParseCopyEndError};
use plan::Isolation;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::instance::Lock;
use crate::{Engine, Error, Instance};

/// A container's root, open. One that does not run is kept from being started as long as this lives.
struct Root {
    root: OwnedFd,
    _lock: Option<Lock>,
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

impl Engine {
    /// A container: at the other levels the writable layer is in the memory of the program or the virtual machine.
    fn container(&self, what: &str, operation: &'static str) -> Result<Instance, Error> {
        let instance = self.started(what)?;
        let level = instance.plan.isolation;
        if level == Isolation::Container {
            return Ok(instance);
        }
        let hint = ", whose files live in its memory; share a directory with it: `coracle run -v HOST:GUEST`";
        Err(Error::Unsupported { what: operation, level, hint })
    }

    /// The root with all mounts if the container runs (`whole`), or without them.
    fn root_of(&self, instance: &Instance, whole: bool) -> Result<Root, Error> {
        if !instance.health.is_running() {
            return stopped(instance);
        }
        let process = instance.record.process.as_ref().ok_or(Error::SupervisorLost)?;
        // Opened before and compared after: the root is that of this process and of no later one.
        let pidfd = process.open().ok_or(Error::SupervisorLost)?;
        let root = if whole { container::running_root(process.pid)? } else { container::bare_root(pidfd.as_fd())? };
        if !process.is_alive() {
            return stopped(instance);
        }
        Ok(Root { root, _lock: None })
    }
}

fn stopped(instance: &Instance) -> Result<Root, Error> {
    let busy = || Error::WrongState {
        name: instance.plan.name.clone(),
        state: "being started, stopped or looked at by another command",
        hint: "try once more",
    };
    let lock = instance.take()?.ok_or_else(busy)?;
    let root = container::stopped_root(&instance.plan.rootfs.erofs, instance.dir())?;
    Ok(Root { root, _lock: Some(lock) })
}

/// Opens a path as a process with this root would, whatever is a link there.
fn open_in(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = path.strip_prefix("/").unwrap_or(path);
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // The kernel reports a concurrent rename with EAGAIN; trying again is what openat2(2) recommends.
    for _ in 0..32 {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Opens a directory of a directory, which must not be a link.
fn open_directory(dir: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?)
}

/// Opens a regular file of a directory, which must not have become anything else. Without a name, it is the file itself.
fn open_file(dir: BorrowedFd<'_>, name: &Path) -> io::Result<std::fs::File> {
    if name.as_os_str().is_empty() {
        return Ok(dir.try_clone_to_owned()?.into());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = std::fs::File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file any more"));
    }
    Ok(file)
}

/// The names in a directory, sorted.
fn names_in(dir: BorrowedFd<'_>) -> io::Result<Vec<std::ffi::OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(std::ffi::OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}
