//! A group's directory in one hierarchy, and its control files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

/// An open group directory.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

/// The name of a field of the configuration, for errors.
pub(crate) type Field = &'static str;

/// Whether [`Directory::create`] made the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    New,
    Existing,
}

impl Directory {
    /// Makes the directory if it does not exist, but not its parent.
    pub(crate) fn create(path: PathBuf) -> Result<(Self, Made), Error> {
        let error = |source: Errno| Error::Create { path: path.clone(), source: source.into() };
        let made = match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o755)) {
            Ok(()) => Made::New,
            Err(Errno::EXIST) => Made::Existing,
            Err(errno) => return Err(error(errno)),
        };
        let fd = open(&path).map_err(error)?;
        Ok((Self { fd, path }, made))
    }

    /// Makes the directory `below` a hierarchy's root, with those above it.
    pub(crate) fn create_below(root: &Path, below: &str) -> Result<(Self, Made), Error> {
        match Self::create(root.join(below)) {
            Err(Error::Create { source, .. }) if source.raw_os_error() == Some(libc::ENOENT) => {
                for (at, _) in below.match_indices('/') {
                    Self::create(root.join(&below[..at]))?;
                }
                Self::create(root.join(below))
            }
            other => other,
        }
    }

    /// Opens an existing directory; `None` if there is none.
    pub(crate) fn open(path: PathBuf) -> Result<Option<Self>, Error> {
        match open(&path) {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(source) => Err(Error::Read { path, source: source.into() }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a control file in one call, as the kernel wants it.
    pub(crate) fn write(&self, file: &str, value: &str) -> Result<(), Error> {
        self.try_write(file, value).map_err(|source| Error::Write {
            path: self.path.join(file),
            value: value.to_owned(),
            source: source.into(),
        })
    }

    /// [`write`](Self::write), but a file that does not exist is `false`.
    pub(crate) fn write_if_exists(&self, file: &str, value: &str) -> Result<bool, Error> {
        match self.try_write(file, value) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(source) => {
                Err(Error::Write { path: self.path.join(file), value: value.to_owned(), source: source.into() })
            }
        }
    }

    /// Writes the value of a field of the configuration.
    pub(crate) fn set(&self, field: Field, file: &str, value: &str) -> Result<(), Error> {
        self.try_write(file, value).map_err(|errno| self.refused(field, file, value, errno))
    }

    /// The error of [`set`](Self::set), for those who look at the kernel's answer first.
    pub(crate) fn refused(&self, field: Field, file: &str, value: &str, errno: Errno) -> Error {
        Error::Field { field, path: self.path.join(file), value: value.to_owned(), source: errno.into() }
    }

    pub(crate) fn try_write(&self, file: &str, value: &str) -> rustix::io::Result<()> {
        let file = rustix::fs::openat(&self.fd, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::retry_on_intr(|| rustix::io::write(&file, value.as_bytes())).map(drop)
    }

    pub(crate) fn read(&self, file: &str) -> Result<String, Error> {
        let error = |source| Error::Read { path: self.path.join(file), source };
        let fd = rustix::fs::openat(&self.fd, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| error(e.into()))?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::fs::File::from(fd), &mut text).map_err(error)?;
        Ok(text)
    }

    /// Opens a control file for reading and polling.
    pub(crate) fn open_file(&self, file: &str) -> Result<OwnedFd, Error> {
        rustix::fs::openat(&self.fd, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Error::Read { path: self.path.join(file), source: errno.into() })
    }

    /// Opens a control file for writing later.
    pub(crate) fn open_for_writing(&self, file: &str) -> Result<OwnedFd, Error> {
        rustix::fs::openat(&self.fd, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Error::Read { path: self.path.join(file), source: errno.into() })
    }

    /// Reads an open control file from its beginning.
    pub(crate) fn read_again(&self, file: &str, fd: &OwnedFd) -> Result<String, Error> {
        let mut text = [0; 4096];
        let count = rustix::io::retry_on_intr(|| rustix::io::pread(fd, &mut text, 0))
            .map_err(|errno| Error::Read { path: self.path.join(file), source: errno.into() })?;
        Ok(String::from_utf8_lossy(&text[..count]).into_owned())
    }

    /// Whether a control file exists.
    pub(crate) fn has(&self, file: &str) -> bool {
        rustix::fs::accessat(&self.fd, file, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok()
    }

    /// The ids in `cgroup.procs`. A group that is going away has none.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let text = self.read("cgroup.procs").unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// A file with one number; `None` if it does not exist or says `max`.
    pub(crate) fn read_number(&self, file: &str) -> Option<u64> {
        self.read(file).ok()?.trim().parse().ok()
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
