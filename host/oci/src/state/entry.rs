use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Process, Record, Status};

const STATE: &str = "state.json";
const NEW_STATE: &str = "state.json.new";
/// The socket on which the first process waits.
const START: &str = "start";

/// How long a command waits for another one that changes the same container.
const PATIENCE: Duration = Duration::from_secs(10);

/// One container's directory.
#[derive(Debug)]
pub(crate) struct Entry {
    id: ContainerId,
    path: PathBuf,
    directory: OwnedFd,
}

/// Held by the descriptor of the directory, for as long as that is open.
#[derive(Debug)]
pub(crate) struct Lock(());

impl Entry {
    /// None if there is no such directory.
    pub(super) fn open(path: &Path, id: &ContainerId) -> Result<Option<Self>, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(directory) => Ok(Some(Self { id: id.clone(), path: path.to_owned(), directory })),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(Error::file("open", path)(error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, Error> {
        match rustix::fs::flock(&self.directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock(()))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(Error::file("lock", &self.path)(error)),
        }
    }

    /// Takes the lock, waiting a while for another command to finish.
    pub(crate) fn wait_lock(&self) -> Result<Lock, Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = self.lock()? {
                return Ok(lock);
            }
            if Instant::now() >= until {
                return Err(Error::Busy(self.id.to_string()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether another command holds the lock.
    pub(crate) fn is_locked(&self) -> Result<bool, Error> {
        match self.lock()? {
            Some(lock) => self.unlock(lock).map(|()| false),
            None => Ok(true),
        }
    }

    /// Gives the lock back, when the command goes on without it.
    pub(crate) fn unlock(&self, _lock: Lock) -> Result<(), Error> {
        rustix::fs::flock(&self.directory, FlockOperation::Unlock).map_err(Error::file("unlock", &self.path))
    }

    /// Whether the directory has not been removed since it was opened.
    pub(super) fn is_linked(&self) -> bool {
        rustix::fs::fstat(&self.directory).is_ok_and(|stat| stat.st_nlink > 0)
    }

    /// What is known; none if its creator was killed before it wrote anything.
    pub(crate) fn read(&self) -> Result<Option<Record>, Error> {
        let path = || self.path.join(STATE);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = match rustix::fs::openat(&self.directory, STATE, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) if self.is_linked() => return Ok(None),
            Err(Errno::NOENT) => return Err(Error::NoContainer(self.id.to_string())),
            Err(error) => return Err(Error::file("open", path())(error)),
        };
        let bytes = read_whole(&file).map_err(Error::file("read", path()))?;
        let damaged = |source| Error::DamagedState { id: self.id.to_string(), path: path(), source };
        Record::parse(&bytes).map(Some).map_err(damaged)
    }

    /// What is known, of a container that was created.
    pub(crate) fn record(&self) -> Result<Record, Error> {
        match self.read() {
            Ok(Some(record)) => Ok(record),
            // Half of the first state is normal while `create` is at work.
            Ok(None) | Err(Error::DamagedState { .. }) if self.is_locked()? => Err(Error::Busy(self.id.to_string())),
            Ok(None) => Err(Error::NotRunning(self.id.to_string())),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn spec(&self, record: &Record) -> Result<oci_spec::runtime::Spec, Error> {
        let path = self.path.join(STATE);
        record.spec().map_err(|source| Error::DamagedState { id: self.id.to_string(), path, source })
    }

    /// Writes the first state. It need not be atomic: a reader who finds half of it finds the lock held, and if the writer
    /// is killed, nothing else was made yet.
    pub(crate) fn write_first(&self, record: &Record) -> Result<(), Error> {
        self.write_file(STATE, record)
    }

    /// Replaces the state atomically.
    pub(crate) fn replace(&self, record: &Record) -> Result<(), Error> {
        self.write_file(NEW_STATE, record)?;
        let path = || self.path.join(STATE);
        rustix::fs::renameat(&self.directory, NEW_STATE, &self.directory, STATE)
            .map_err(|error| Error::file("replace", path())(error))
    }

    fn write_file(&self, name: &str, record: &Record) -> Result<(), Error> {
        let error = |source| Error::File { action: "write", path: self.path.join(name), source };
        let text = serde_json::to_vec(record).map_err(|e| error(e.into()))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::from_raw_mode(0o600));
        let mut file = file.map(std::fs::File::from).map_err(|e| error(e.into()))?;
        file.write_all(&text).map_err(error)
    }

    /// Whether the program still waits for `start`.
    pub(crate) fn waits(&self) -> bool {
        rustix::fs::accessat(&self.directory, START, rustix::fs::Access::EXISTS, AtFlags::empty()).is_ok()
    }

    /// Notes that the program no longer waits.
    pub(crate) fn started(&self) -> Result<(), Error> {
        match rustix::fs::unlinkat(&self.directory, START, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::file("remove", self.path.join(START))(error)),
        }
    }

    /// The status, and the first process while it lives. Whether it is paused is its control group's to say.
    pub(crate) fn status(&self, record: Option<&Record>) -> Result<(Status, Option<Process>), Error> {
        let Some(identity) = record.and_then(|record| record.process) else {
            return Ok((if self.is_locked()? { Status::Creating } else { Status::Stopped }, None));
        };
        let opened = identity.open();
        let process =
            opened.map_err(|source| Error::System { action: "look at the container's first process", source })?;
        let status = match &process {
            None => Status::Stopped,
            Some(_) if self.waits() => Status::Created,
            Some(_) => Status::Running,
        };
        Ok((status, process))
    }

    /// Removes the directory with everything in it.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        if !self.is_linked() {
            // Removed already, and the name may be another container's by now.
            return Ok(());
        }
        for name in [STATE, START] {
            let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
        }
        let gone = |removed| matches!(removed, Ok(()) | Err(Errno::NOENT));
        if gone(rustix::fs::unlinkat(CWD, &self.path, AtFlags::REMOVEDIR)) {
            return Ok(());
        }
        empty(&self.directory).map_err(Error::file("empty", &self.path))?;
        match rustix::fs::unlinkat(CWD, &self.path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::file("remove", &self.path)(error)),
        }
    }
}

/// Reads a regular file, of which less than was asked for means its end (read(2)).
fn read_whole(file: impl AsFd) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::with_capacity(32 << 10);
    loop {
        let asked = bytes.capacity() - bytes.len();
        let count = rustix::io::retry_on_intr(|| rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)))?;
        if count < asked {
            return Ok(bytes);
        }
        bytes.reserve(bytes.len());
    }
}

/// Removes everything below a directory, following no link.
fn empty(directory: impl AsFd) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let own = rustix::fs::openat(&directory, ".", flags, Mode::empty())?;
    let mut buffer = Vec::with_capacity(8192);
    let mut names = Vec::new();
    let mut entries = RawDir::new(&own, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    for name in names {
        match rustix::fs::unlinkat(&own, &name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                empty(rustix::fs::openat(&own, &name, flags, Mode::empty())?)?;
                rustix::fs::unlinkat(&own, &name, AtFlags::REMOVEDIR)?;
            }
            Err(Errno::NOENT) => {}
            other => other?,
        }
    }
    Ok(())
}
