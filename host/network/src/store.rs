//! The files: `network/lock`, `network/leases/<id>.json`, `network/addresses/<ip>` and `network/ports/<protocol>-<port>-<ip>`.
//!
//! The last two are symbolic links to the lease that holds the address or port. They make a claim one system call however many
//! instances there are. A link that leads nowhere is left over from a killed process: whoever finds one while holding the lock
//! may take it. The lock's file also holds the index of the address that was given out last.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use plan::{InstanceId, PortMapping};
use rustix::fs::{FlockOperation, flock};

use crate::{Error, Lease, Subnet};

/// The directory of the files.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: PathBuf,
}

/// The store while no other process changes it. The lock goes with the file, also when the process is killed.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    store: &'a Store,
    lock: File,
}

impl Store {
    pub(crate) fn create(run_dir: &Path) -> Result<Self, Error> {
        let directory = run_dir.join("network");
        for part in ["leases", "addresses", "ports"] {
            let path = directory.join(part);
            fs::DirBuilder::new().recursive(true).mode(0o711).create(&path).map_err(Error::file("create", &path))?;
        }
        let directory = directory.canonicalize().map_err(Error::file("open", &directory))?;
        Ok(Self { directory })
    }

    /// The store of another run directory, if it is there.
    pub(crate) fn existing(directory: &Path) -> Option<Self> {
        directory.join("leases").is_dir().then(|| Self { directory: directory.to_owned() })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn lock(&self) -> Result<Locked<'_>, Error> {
        self.lock_with(FlockOperation::LockExclusive)
    }

    /// Locks, or fails at once when another process holds the lock.
    pub(crate) fn try_lock(&self) -> Result<Locked<'_>, Error> {
        self.lock_with(FlockOperation::NonBlockingLockExclusive)
    }

    fn lock_with(&self, operation: FlockOperation) -> Result<Locked<'_>, Error> {
        let path = self.directory.join("lock");
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path).map_err(Error::file("open", &path))?;
        rustix::io::retry_on_intr(|| flock(&lock, operation))
            .map_err(|errno| Error::file("lock", &path)(errno.into()))?;
        Ok(Locked { store: self, lock })
    }

    pub(crate) fn lease_path(&self, id: &InstanceId) -> PathBuf {
        self.directory.join(format!("leases/{id}.json"))
    }

    /// Tells whether the instance has a lease, be it a damaged one.
    pub(crate) fn has(&self, id: &InstanceId) -> bool {
        self.lease_path(id).exists()
    }

    /// The lease of an instance; `None` if it has none.
    pub(crate) fn read(&self, id: &InstanceId) -> Result<Option<Lease>, Error> {
        let path = self.lease_path(id);
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|source| Error::DamagedLease { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", path)(error)),
        }
    }

    /// The instances that have a lease file, in no order.
    pub(crate) fn ids(&self) -> Result<Vec<InstanceId>, Error> {
        let names = names_in(&self.directory.join("leases"))?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect())
    }

    /// All leases. One that goes away meanwhile is left out; so is a damaged one, which `check` reports.
    pub(crate) fn leases(&self) -> Result<Vec<Lease>, Error> {
        let mut leases = Vec::new();
        for id in self.ids()? {
            match self.read(&id) {
                Ok(lease) => leases.extend(lease),
                Err(Error::DamagedLease { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(leases)
    }

    /// Links and unfinished files that nobody needs: each is a path below the directory.
    pub(crate) fn leftovers(&self) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for part in ["addresses", "ports"] {
            let directory = self.directory.join(part);
            let links = names_in(&directory)?.into_iter().map(|name| directory.join(name));
            found.extend(links.filter(|link| !link.exists()));
        }
        let leases = self.directory.join("leases");
        found.extend(names_in(&leases)?.into_iter().filter(|n| n.ends_with(".new")).map(|name| leases.join(name)));
        Ok(found)
    }
}

impl Locked<'_> {
    /// Writes a lease so that it is there completely or not at all.
    pub(crate) fn write(&self, lease: &Lease) -> Result<(), Error> {
        let path = self.store.lease_path(&lease.id);
        let new = path.with_extension("new");
        let text = serde_json::to_vec(lease).map_err(|source| Error::DamagedLease { path: path.clone(), source })?;
        fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(|error| {
            let _ = fs::remove_file(&new);
            Error::file("write", &path)(error)
        })
    }

    /// Finds an address that no lease holds, beginning behind the last one given out, so that an address rests before it is
    /// used again.
    pub(crate) fn claim_address(&self, id: &InstanceId, subnet: Subnet) -> Result<Ipv4Addr, Error> {
        let mut last = [0; 4];
        let last = self.lock.read_at(&mut last, 0).map_or(0, |_| u32::from_le_bytes(last));
        let size = subnet.pool_size();
        for step in 0..size {
            let index = last.wrapping_add(step) % size;
            let address = subnet.pool_address(index);
            if self.claim(&format!("addresses/{address}"), id)? {
                let lock = self.store.directory.join("lock");
                self.lock.write_all_at(&(index + 1).to_le_bytes(), 0).map_err(Error::file("write", lock))?;
                return Ok(address);
            }
        }
        Err(Error::PoolEmpty { subnet, size })
    }

    /// Claims a certain address.
    pub(crate) fn claim_this_address(
        &self,
        id: &InstanceId,
        subnet: Subnet,
        address: Ipv4Addr,
    ) -> Result<Ipv4Addr, Error> {
        if !subnet.is_in_pool(address) {
            return Err(Error::AddressOutside { address, subnet });
        }
        let link = format!("addresses/{address}");
        if self.claim(&link, id)? {
            return Ok(address);
        }
        let holder = self.holder(&link).unwrap_or_else(|| "?".to_owned());
        Err(Error::AddressInUse { address, holder })
    }

    /// Claims a host port; `Err` names the instance that holds it or an overlapping one.
    pub(crate) fn claim_port(&self, id: &InstanceId, mapping: &PortMapping) -> Result<Result<(), String>, Error> {
        let prefix = format!("{}-{}-", mapping.protocol, mapping.host_port);
        let own = format!("{prefix}{}", mapping.host_ip);
        let overlaps = |name: &str| {
            let other = name.strip_prefix(&prefix)?;
            (mapping.host_ip.is_unspecified() || other == "0.0.0.0" || name == own).then_some(())
        };
        for name in names_in(&self.store.directory.join("ports"))? {
            let link = format!("ports/{name}");
            if overlaps(&name).is_some()
                && !self.is_held_by(&link, id)
                && let Some(holder) = self.holder(&link)
            {
                return Ok(Err(holder));
            }
        }
        let claimed = self.claim(&format!("ports/{own}"), id)?;
        Ok(if claimed { Ok(()) } else { Err(id.short().to_owned()) })
    }

    pub(crate) fn release_port(&self, id: &InstanceId, mapping: &PortMapping) -> Result<(), Error> {
        self.unclaim(&format!("ports/{}-{}-{}", mapping.protocol, mapping.host_port, mapping.host_ip), id)
    }

    /// Removes a lease with its claims; the file goes last, because it is what names the rest.
    pub(crate) fn remove(&self, lease: &Lease) -> Result<(), Error> {
        for mapping in &lease.published {
            self.release_port(&lease.id, mapping)?;
        }
        self.unclaim(&format!("addresses/{}", lease.address), &lease.id)?;
        self.remove_file(&self.store.lease_path(&lease.id))
    }

    pub(crate) fn remove_file(&self, path: &Path) -> Result<(), Error> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// The name of the lease that a link leads to; `None` if it leads nowhere.
    fn holder(&self, link: &str) -> Option<String> {
        let lease = fs::read(self.store.directory.join(link)).ok()?;
        Some(serde_json::from_slice::<Lease>(&lease).map_or_else(|_| "?".to_owned(), |lease| lease.name))
    }

    fn claim(&self, link: &str, id: &InstanceId) -> Result<bool, Error> {
        let path = self.store.directory.join(link);
        let target = target_of(id);
        for _ in 0..2 {
            match symlink(&target, &path) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::file("create", path)(error));
                }
                Err(_) if path.exists() => return Ok(self.is_held_by(link, id)),
                Err(_) => self.remove_file(&path)?,
            }
        }
        Ok(false)
    }

    fn unclaim(&self, link: &str, id: &InstanceId) -> Result<(), Error> {
        if self.is_held_by(link, id) { self.remove_file(&self.store.directory.join(link)) } else { Ok(()) }
    }

    fn is_held_by(&self, link: &str, id: &InstanceId) -> bool {
        fs::read_link(self.store.directory.join(link)).is_ok_and(|target| target == Path::new(&target_of(id)))
    }
}

fn target_of(id: &InstanceId) -> String {
    format!("../leases/{id}.json")
}

fn names_in(directory: &Path) -> Result<Vec<String>, Error> {
    let read = || -> io::Result<Vec<String>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    read().map_err(Error::file("list", directory))
}
