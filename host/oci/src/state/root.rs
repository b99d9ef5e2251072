use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode};
use rustix::io::Errno;

use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Entry, Lock};

/// Readable for its owner only: states hold environment variables.
const PRIVATE: Mode = Mode::from_raw_mode(0o700);

/// The directory of all containers.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
}

impl Root {
    pub(crate) fn new(given: Option<PathBuf>) -> Self {
        Self { path: given.unwrap_or_else(default_path) }
    }

    /// Makes the directory of a new container and locks it.
    pub(crate) fn reserve(&self, id: &ContainerId) -> Result<(Entry, Lock), Error> {
        let path = self.path.join(id.as_str());
        let mut made = rustix::fs::mkdirat(CWD, &path, PRIVATE);
        if made == Err(Errno::NOENT) {
            std::fs::create_dir_all(&self.path).map_err(|source| Error::File {
                action: "make the directory",
                path: self.path.clone(),
                source,
            })?;
            made = rustix::fs::mkdirat(CWD, &path, PRIVATE);
        }
        match made {
            Err(Errno::EXIST) => return Err(Error::Exists(id.to_string())),
            made => made.map_err(Error::file("make the directory", &path))?,
        }
        let entry = Entry::open(&path, id)?.ok_or_else(|| Error::Busy(id.to_string()))?;
        // Somebody who deletes may have come between; if the directory is gone already, the first state cannot be written.
        match entry.lock()? {
            Some(lock) => Ok((entry, lock)),
            None => Err(Error::Busy(id.to_string())),
        }
    }

    /// Opens a container's directory.
    pub(crate) fn open(&self, id: &ContainerId) -> Result<Entry, Error> {
        let entry = Entry::open(&self.path.join(id.as_str()), id)?;
        entry.ok_or_else(|| Error::NoContainer(id.to_string()))
    }

    /// All containers, by name.
    pub(crate) fn ids(&self) -> Result<Vec<ContainerId>, Error> {
        let error = |source| Error::File { action: "list", path: self.path.clone(), source };
        let directory = match std::fs::read_dir(&self.path) {
            Ok(directory) => directory,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(error(source)),
        };
        let mut ids = Vec::new();
        for entry in directory {
            let name = entry.map_err(error)?.file_name();
            if let Some(id) = std::str::from_utf8(name.as_bytes()).ok().and_then(|name| name.parse().ok())
                && is_directory(&self.path.join(&name))
            {
                ids.push(id);
            }
        }
        ids.sort();
        Ok(ids)
    }
}

fn is_directory(path: &Path) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}

fn default_path() -> PathBuf {
    let runtime_dir = || std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    match rustix::process::geteuid().is_root() {
        true => PathBuf::from("/run/coracle-oci"),
        false => runtime_dir()
            .map_or_else(
                || PathBuf::from(format!("/tmp/coracle-{}", rustix::process::geteuid().as_raw())),
                PathBuf::from,
            )
            .join("coracle-oci"),
    }
}
