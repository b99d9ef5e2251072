//! A procfs of this process's own PID namespace that is attached nowhere: nothing can have been mounted over its files, and
//! no image can have put another file system in its place (CVE-2019-16884, CVE-2025-52881).

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags};

/// Made when it is first needed; most processes need none.
#[derive(Debug, Default)]
pub(crate) struct PrivateProc(OnceCell<OwnedFd>);

impl PrivateProc {
    /// Its root directory.
    pub(crate) fn root(&self) -> io::Result<BorrowedFd<'_>> {
        if let Some(proc) = self.0.get() {
            return Ok(proc.as_fd());
        }
        let proc = make()?;
        Ok(self.0.get_or_init(|| proc).as_fd())
    }

    /// Reads a file of at most one page.
    pub(crate) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.open(path, OFlags::RDONLY)?;
        let mut text = vec![0; 4096];
        let length = rustix::io::read(&file, &mut text)?;
        text.truncate(length);
        Ok(text)
    }

    /// Writes a file, for example `self/attr/exec` or `sys/kernel/msgmax`; no link of it is followed but `self`.
    pub(crate) fn write(&self, path: &str, value: &[u8]) -> io::Result<()> {
        let file = self.open(path, OFlags::WRONLY)?;
        match rustix::io::write(&file, value)? {
            written if written == value.len() => Ok(()),
            _ => Err(Errno::IO.into()),
        }
    }

    fn open(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(rustix::fs::openat2(self.root()?, path, flags, Mode::empty(), resolve)?)
    }
}

fn make() -> io::Result<OwnedFd> {
    let proc = match mount_new() {
        // In a user namespace whose /proc is not wholly visible the kernel makes no other; that one has to do.
        Err(Errno::PERM) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open("/proc", flags, Mode::empty())?
        }
        other => other?,
    };
    match rustix::fs::fstatfs(&proc)?.f_type as u64 == rustix::fs::PROC_SUPER_MAGIC as u64 {
        true => Ok(proc),
        false => Err(Errno::NXIO.into()),
    }
}

fn mount_new() -> rustix::io::Result<OwnedFd> {
    let context = mount::fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes | MountAttrFlags::MOUNT_ATTR_NOEXEC)
}
