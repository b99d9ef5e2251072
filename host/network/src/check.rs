use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use plan::InstanceId;
use serde::{Deserialize, Serialize};

use crate::netlink::Socket;
use crate::nft::Element;
use crate::{Error, Lease, Network, link};

/// The beginning of the names of instances' interfaces, see [`InstanceId::interface_name`].
const INTERFACE_PREFIX: &str = "crcl";

/// How often and how long to wait for the kernel to delete interfaces by itself.
const SETTLING_STEPS: u32 = 10;
const SETTLING_STEP: Duration = Duration::from_millis(30);

/// Something that a killed process left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Orphan {
    /// A lease of an instance that does not live.
    Lease(InstanceId),
    /// An interface on the bridge without a lease.
    Interface(String),
    /// Ports in the packet filter that no lease publishes, as text.
    PublishedPort(String),
    /// A link or unfinished file without a lease.
    File(PathBuf),
}

impl std::fmt::Display for Orphan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lease(id) => write!(f, "network lease of {}", id.short()),
            Self::Interface(name) => write!(f, "network interface {name}"),
            Self::PublishedPort(port) => write!(f, "published {port}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl Network {
    /// What belongs to none of the instances that live. Nothing is changed.
    pub fn check(&self, live: &HashSet<InstanceId>) -> Result<Vec<Orphan>, Error> {
        let _locked = self.store.lock()?;
        self.find_orphans(live)
    }

    /// Removes what [`Network::check`] would find, and returns it.
    pub fn fix(&self, live: &HashSet<InstanceId>) -> Result<Vec<Orphan>, Error> {
        let locked = self.store.lock()?;
        let socket = Socket::route()?;
        let orphans = self.find_orphans(live)?;
        for orphan in &orphans {
            match orphan {
                Orphan::Lease(id) => self.end_lease_locked(&locked, id)?,
                Orphan::Interface(name) => link::delete(&socket, name)?,
                Orphan::PublishedPort(_) => {}
                Orphan::File(path) => locked.remove_file(path)?,
            }
        }
        for path in self.store.leftovers()? {
            locked.remove_file(&path)?;
        }
        self.remove_stray_elements()?;
        Ok(orphans)
    }

    /// Takes ports out of the packet filter that no lease publishes. The store must be locked.
    pub(crate) fn remove_stray_elements(&self) -> Result<(), Error> {
        let stray = self.stray_elements(&self.store.leases()?)?;
        if !stray.is_empty() {
            self.table()?.unpublish(&stray)?;
        }
        Ok(())
    }

    fn find_orphans(&self, live: &HashSet<InstanceId>) -> Result<Vec<Orphan>, Error> {
        let (living, dead): (Vec<_>, Vec<_>) = self.store.ids()?.into_iter().partition(|id| live.contains(id));
        let mut leases = Vec::new();
        for id in &living {
            leases.extend(self.store.read(id).ok().flatten());
        }
        let mut orphans: Vec<Orphan> = dead.into_iter().map(Orphan::Lease).collect();
        orphans.extend(self.settled_stray_interfaces(&leases)?.into_iter().map(Orphan::Interface));
        orphans.extend(self.stray_elements(&leases)?.iter().map(|e| Orphan::PublishedPort(e.describe())));
        orphans.extend(self.store.leftovers()?.into_iter().map(Orphan::File));
        Ok(orphans)
    }

    /// Stray interfaces that stay. The kernel deletes those of an ended namespace in the background, so give it time.
    fn settled_stray_interfaces(&self, leases: &[Lease]) -> Result<Vec<String>, Error> {
        let mut stray = self.stray_interfaces(leases)?;
        for _ in 0..SETTLING_STEPS {
            if stray.is_empty() {
                break;
            }
            std::thread::sleep(SETTLING_STEP);
            stray = self.stray_interfaces(leases)?;
        }
        Ok(stray)
    }

    /// Interfaces on our bridge that have an instance's name but no lease.
    fn stray_interfaces(&self, leases: &[Lease]) -> Result<Vec<String>, Error> {
        let links = link::all(&Socket::route()?)?;
        let Some(bridge) = links.iter().find(|link| link.name == self.config.bridge) else { return Ok(Vec::new()) };
        let stray = links.iter().filter(|link| {
            link.master == Some(bridge.index)
                && link.name.starts_with(INTERFACE_PREFIX)
                && !leases.iter().any(|lease| lease.interface == link.name)
        });
        Ok(stray.map(|link| link.name.clone()).collect())
    }

    fn stray_elements(&self, leases: &[Lease]) -> Result<Vec<Element>, Error> {
        let table = self.table()?;
        if !table.exists().unwrap_or(false) {
            return Ok(Vec::new());
        }
        let known: Vec<Element> = leases.iter().flat_map(Element::of).collect();
        Ok(table.published()?.into_iter().filter(|element| !known.contains(element)).collect())
    }
}
