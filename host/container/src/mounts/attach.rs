//! The tree of a container's mounts while it grows.
//!
//! Most mounts lie in a file system that was made a moment ago and that nobody else has seen: one entry of it can be used
//! without looking at it first. Everything else is looked up from the root, by descriptor.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::file_system;
use crate::root::{Kind, Root};

/// What is mounted so far.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
    /// Those whose content we know.
    known: Vec<Known>,
    /// The one of ours that is the working directory.
    here: Option<String>,
}

#[derive(Debug)]
struct Known {
    destination: String,
    mount: OwnedFd,
    content: Content,
}

/// Who fills a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// We alone: it is new and empty.
    Ours,
    /// The kernel; nothing can be made in it.
    Kernel,
    /// Procfs, most of whose directories can be gone in a moment.
    Proc,
    /// Somebody else.
    Foreign,
}

/// The files of /proc that a container may see another version of (as lxcfs provides), and nothing else.
const LEGAL_IN_PROC: [&str; 13] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
    "/proc/net/dev",
    "/proc/mdstat",
    "/proc/filesystems",
];

impl Tree {
    pub(crate) fn new(root: OwnedFd) -> Self {
        Self { root, known: Vec::new(), here: None }
    }

    /// Leaves its descriptors to execve, which closes all of them at once.
    pub(crate) fn leave_to_exec(self) {
        std::mem::forget(self);
    }

    pub(crate) fn root_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(crate) fn root(&self) -> Root<'_> {
        Root::new(&self.root)
    }

    /// The mount at exactly this place, if its content is known.
    pub(super) fn known(&self, destination: &str) -> Option<BorrowedFd<'_>> {
        self.known.iter().rev().find(|known| known.destination == destination).map(|known| known.mount.as_fd())
    }

    /// A directory that is known, and the rest of a path from it, of which no part can lead elsewhere.
    pub(super) fn shortcut(&self, path: &str) -> Option<(BorrowedFd<'_>, CString, Content)> {
        let known = self.known.iter().rev().find(|known| below(path, &known.destination).is_some())?;
        let rest = below(path, &known.destination)?;
        let single = !rest.contains('/');
        // The kernel's links in /sys stay there; those of /proc/PID do not.
        if !single && known.content != Content::Kernel {
            return None;
        }
        Some((known.mount.as_fd(), CString::new(rest).ok()?, known.content))
    }

    /// Attaches a mount; the place is made if it does not exist.
    pub(super) fn attach(&mut self, mount: OwnedFd, destination: &str, content: Content, kind: Kind) -> io::Result<()> {
        if !self.attach_by_shortcut(&mount, destination, kind)? {
            let place = self.place(destination, content, kind)?;
            file_system::attach(&mount, &place)?;
            file_system::leave_to_exec(place);
        }
        // What was known at that place or below cannot be seen any more.
        let covered =
            |known: &Known| known.destination == destination || below(&known.destination, destination).is_some();
        self.known.retain(|known| !covered(known));
        self.here = None;
        match content {
            Content::Foreign => file_system::leave_to_exec(mount),
            content => self.known.push(Known { destination: destination.to_owned(), mount, content }),
        }
        Ok(())
    }

    /// Makes a new file system at a directory that is made for it in one of ours; false if it is not to be made there. What it
    /// is stays unknown.
    pub(super) fn mount_in_ours(
        &mut self,
        destination: &str,
        make: impl FnOnce(&CStr) -> rustix::io::Result<bool>,
    ) -> io::Result<bool> {
        let Some((directory, name, Content::Ours)) = self.shortcut(destination) else { return Ok(false) };
        // Only what did not exist a moment ago is a directory for certain, and covers nothing that is known.
        if rustix::fs::mkdirat(directory, name.as_c_str(), Mode::from_raw_mode(0o755)).is_err() {
            return Ok(false);
        }
        let parent = destination.rsplit_once('/').map(|(parent, _)| parent);
        if self.here.as_deref() != parent {
            rustix::process::fchdir(directory)?;
            self.here = parent.map(str::to_owned);
        }
        Ok(make(&name)?)
    }

    fn attach_by_shortcut(&self, mount: &OwnedFd, destination: &str, kind: Kind) -> io::Result<bool> {
        let Some((directory, name, content)) = self.shortcut(destination) else { return Ok(false) };
        match (content, kind) {
            (Content::Proc | Content::Foreign, _) => return Ok(false),
            (Content::Ours, Kind::Directory) => {
                match rustix::fs::mkdirat(directory, name.as_c_str(), Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            (Content::Ours, Kind::File) => return Ok(false),
            (Content::Kernel, _) => {}
        }
        match file_system::attach_at(mount, directory, &name) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn place(&self, destination: &str, content: Content, kind: Kind) -> io::Result<OwnedFd> {
        if matches!(content, Content::Kernel | Content::Proc) {
            return self.root().real_directory(destination);
        }
        let in_proc = destination == "/proc" || below(destination, "/proc").is_some();
        // The usual case: no link on the way, so the place is where its name says.
        if !in_proc && let Ok(place) = self.root().locate_without_links(destination) {
            return Ok(place);
        }
        let place = self.root().place(destination, kind)?;
        // Something over /proc could fool whoever reads it inside with privileges (CVE-2019-16884).
        if file_system::is(&place, rustix::fs::PROC_SUPER_MAGIC)? && !LEGAL_IN_PROC.contains(&destination) {
            return Err(Errno::PERM.into());
        }
        Ok(place)
    }
}

/// The rest of a path below a directory.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    path.strip_prefix(directory)?.strip_prefix('/').filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_strict() {
        assert_eq!(below("/dev/pts", "/dev"), Some("pts"));
        assert_eq!(below("/device", "/dev"), None);
        assert_eq!(below("/dev", "/dev"), None);
        assert_eq!(below("/dev/", "/dev"), None);
    }
}
