use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use plan::{InstanceId, MacAddress, PortMapping, Protocol};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::bridge::Bridge;
use crate::netlink::{NetlinkError, Socket};
use crate::nft::{Element, LateClosedSockets, Table};
use crate::store::{Locked, Store};
use crate::{Config, Error, Lease, Subnet, TapOptions, bridge, lease, link, ports, tap};

/// The bridge network of one run directory.
///
/// It holds no state of its own: the files below the run directory and the kernel's configuration are the truth, so any
/// number of processes may use it at the same time, and each may die at any moment.
#[derive(Debug, Clone)]
pub struct Network {
    pub(crate) config: Config,
    pub(crate) store: Store,
    sockets: LateClosedSockets,
}

/// What an instance would like to have; `None` leaves the choice to the network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// The address.
    pub address: Option<Ipv4Addr>,
    /// The Ethernet address.
    pub mac: Option<MacAddress>,
}

impl Network {
    /// Opens the network of a run directory and creates its files; the host's configuration is not touched.
    pub fn open(run_dir: &Path, config: Config) -> Result<Self, Error> {
        if config.bridge.is_empty() || config.bridge.len() > 15 {
            return Err(Error::Name(config.bridge));
        }
        Ok(Self { config, store: Store::create(run_dir)?, sockets: LateClosedSockets::default() })
    }

    /// Gives the instance an address; creates the bridge on first use.
    ///
    /// An instance that has a lease already gets the same one.
    pub fn lease(&self, id: &InstanceId, name: &str) -> Result<Lease, Error> {
        self.lease_with(id, name, &Wishes::default())
    }

    /// [`lease`](Self::lease) with an address of the caller's choice.
    ///
    /// # Errors
    /// [`Error::AddressOutside`] or [`Error::AddressInUse`] for an address that cannot be had.
    pub fn lease_with(&self, id: &InstanceId, name: &str, wishes: &Wishes) -> Result<Lease, Error> {
        let locked = self.store.lock()?;
        let Bridge { subnet, mtu } = bridge::ensure(&self.config, &self.store, &Socket::route()?, &self.table()?)?;
        if let Some(lease) = self.store.read(id)? {
            return Ok(lease);
        }
        let address = match wishes.address {
            Some(address) => locked.claim_this_address(id, subnet, address)?,
            None => locked.claim_address(id, subnet)?,
        };
        let lease = Lease {
            id: id.clone(),
            name: name.to_owned(),
            address,
            prefix: subnet.prefix(),
            gateway: subnet.gateway(),
            mac: wishes.mac.unwrap_or_else(|| lease::mac_of(address)),
            interface: id.interface_name(),
            dns: vec![subnet.gateway().into()],
            mtu,
            published: Vec::new(),
        };
        locked.write(&lease)?;
        Ok(lease)
    }

    /// Connects a container: an interface `eth0` with address and default route in its network namespace, and loopback up.
    pub fn connect_veth(&self, lease: &Lease, netns: BorrowedFd<'_>) -> Result<(), Error> {
        let socket = Socket::route()?;
        let bridge = self.bridge_index(&socket)?;
        match link::create_veth(&socket, lease, bridge, netns) {
            // The instance is being restarted, and the kernel has not removed the last run's interface yet.
            Err(error) if error.refusal() == Some(Errno::EXIST) => {
                link::delete(&socket, &lease.interface)?;
                link::create_veth(&socket, lease, bridge, netns)?;
            }
            result => result?,
        }
        let inner = socket_in(netns)?;
        link::configure_inside(&inner, lease)?;
        Ok(())
    }

    /// Opens the TAP device of a virtual machine or unikernel, on the bridge and up.
    ///
    /// The interface lives as long as the descriptor. The guest configures address, route and Ethernet address from the lease.
    pub fn open_tap(&self, lease: &Lease, options: TapOptions) -> Result<OwnedFd, Error> {
        let fd = tap::open(&lease.interface, options)
            .map_err(|source| Error::Tap { interface: lease.interface.clone(), source })?;
        let socket = Socket::route()?;
        link::attach(&socket, lease, self.bridge_index(&socket)?)?;
        Ok(fd)
    }

    /// Gives an instance that has a lease another name, under which the others find it from now on.
    pub fn rename(&self, id: &InstanceId, name: &str) -> Result<(), Error> {
        let locked = self.store.lock()?;
        match self.store.read(id)? {
            Some(lease) => locked.write(&Lease { name: name.to_owned(), ..lease }),
            None => Ok(()),
        }
    }

    /// Leads ports of the host to the instance, all or none of them, beside those that lead there already.
    pub fn publish(&self, lease: &Lease, mappings: &[PortMapping]) -> Result<(), Error> {
        if mappings.is_empty() {
            return Ok(());
        }
        let locked = self.store.lock()?;
        let before = self.store.read(&lease.id)?.ok_or_else(|| Error::NoLease(lease.id.clone()))?;
        let is_new = |mapping: &&PortMapping| !before.published.contains(mapping);
        let new: Vec<PortMapping> = mappings.iter().filter(is_new).cloned().collect();
        let mut after = before.clone();
        after.published.extend_from_slice(&new);
        ports::check_list(&after.published)?;
        claim_ports(&locked, &lease.id, &new)?;
        // The file first: it tells `release` and `check` what to remove if this process dies here.
        let result = locked.write(&after).and_then(|()| self.translate(&after));
        if result.is_err() {
            // As far as possible: what cannot be undone now is in the lease file and goes with the lease.
            new.iter().for_each(|mapping| drop(locked.release_port(&lease.id, mapping)));
            let _ = locked.write(&before);
        }
        result
    }

    /// Ends the lease: interface, published ports, address and file. Without a lease it does nothing.
    ///
    /// The kernel takes some 20 ms to delete an interface, whoever asks (it waits until no CPU can be using it any more).
    pub fn release(&self, id: &InstanceId) -> Result<(), Error> {
        if self.store.has(id) {
            link::delete(&Socket::route()?, &id.interface_name())?;
        }
        self.end_lease(id)
    }

    /// Ends the lease of an instance whose network namespace or TAP descriptor is closed for good.
    ///
    /// As [`Network::release`], but the interface is left to the kernel, which deletes it in the background with the namespace
    /// or has done so when the descriptor was closed. That saves the wait.
    pub fn release_after_exit(&self, id: &InstanceId) -> Result<(), Error> {
        self.end_lease(id)
    }

    fn end_lease(&self, id: &InstanceId) -> Result<(), Error> {
        let locked = self.store.lock()?;
        self.end_lease_locked(&locked, id)
    }

    pub(crate) fn end_lease_locked(&self, locked: &Locked<'_>, id: &InstanceId) -> Result<(), Error> {
        match self.store.read(id) {
            Ok(None) => Ok(()),
            Ok(Some(lease)) => {
                self.untranslate(&lease)?;
                locked.remove(&lease)
            }
            Err(Error::DamagedLease { path, .. }) => {
                locked.remove_file(&path)?;
                self.remove_stray_elements()
            }
            Err(error) => Err(error),
        }
    }

    /// All leases, in order of their addresses.
    pub fn leases(&self) -> Result<Vec<Lease>, Error> {
        let mut leases = self.store.leases()?;
        leases.sort_by_key(|lease| lease.address);
        Ok(leases)
    }

    /// Removes the bridge and the packet filter if no instance has a lease; tells whether it did.
    pub fn remove_if_unused(&self) -> Result<bool, Error> {
        let _locked = self.store.lock()?;
        let socket = Socket::route()?;
        let Some(link) = link::by_name(&socket, &self.config.bridge)? else { return Ok(false) };
        let is_ours = bridge::parse_alias(&link.alias).is_some_and(|(_, owner)| owner == self.store.directory());
        if !is_ours || !self.store.ids()?.is_empty() {
            return Ok(false);
        }
        link::delete(&socket, &self.config.bridge)?;
        self.table()?.delete()?;
        Ok(true)
    }

    /// The packet filter's table of the bridge.
    pub(crate) fn table(&self) -> Result<Table<'_>, Error> {
        Table::open(&self.config.bridge, &self.sockets).map_err(Error::nftables)
    }

    /// Takes the lease's ports out of the packet filter.
    pub(crate) fn untranslate(&self, lease: &Lease) -> Result<(), Error> {
        if lease.published.is_empty() {
            return Ok(());
        }
        let table = self.table()?;
        table.unpublish(&Element::of(lease))?;
        Ok(table.forget_udp_flows(&udp_ports(lease))?)
    }

    /// Puts the lease's ports into the packet filter.
    fn translate(&self, lease: &Lease) -> Result<(), Error> {
        let table = self.table()?;
        match table.publish(lease) {
            // Somebody removed the table, or the run directory, meanwhile. The lease files say what should be there.
            Err(error) if matches!(error.refusal(), Some(Errno::NOENT | Errno::EXIST)) => {
                let subnet = Subnet::containing(lease.address, lease.prefix).ok_or(error)?;
                table.create(subnet, &self.store.leases()?).map_err(Error::nftables)?;
            }
            result => result?,
        }
        Ok(table.forget_udp_flows(&udp_ports(lease))?)
    }

    fn bridge_index(&self, socket: &Socket) -> Result<u32, Error> {
        let link = link::by_name(socket, &self.config.bridge)?;
        let gone = NetlinkError::Refused { operation: "find the bridge", errno: Errno::NODEV };
        Ok(link.ok_or(gone)?.index)
    }
}

fn udp_ports(lease: &Lease) -> Vec<u16> {
    let udp = lease.published.iter().filter(|mapping| mapping.protocol == Protocol::Udp);
    udp.map(|mapping| mapping.host_port).collect()
}

/// Claims all of the ports or none.
fn claim_ports(locked: &Locked<'_>, id: &InstanceId, mappings: &[PortMapping]) -> Result<(), Error> {
    for (index, mapping) in mappings.iter().enumerate() {
        let claimed = claim_port(locked, id, mapping);
        if claimed.is_err() {
            for earlier in &mappings[..=index] {
                locked.release_port(id, earlier)?;
            }
            return claimed;
        }
    }
    Ok(())
}

fn claim_port(locked: &Locked<'_>, id: &InstanceId, mapping: &PortMapping) -> Result<(), Error> {
    let (port, protocol) = (mapping.host_port, mapping.protocol);
    locked.claim_port(id, mapping)?.map_err(|holder| Error::PortPublished { port, protocol, holder })?;
    ports::check_free_on_host(mapping)
}

/// A netlink socket of another network namespace.
///
/// Only a thread can enter a namespace. This one goes in and out, which takes a few microseconds; a thread made for
/// the purpose costs ten times that.
fn socket_in(netns: BorrowedFd<'_>) -> Result<Socket, Error> {
    let own = File::open("/proc/thread-self/ns/net").map_err(Error::Namespace)?;
    let enter = |fd| move_into_link_name_space(fd, Some(LinkNameSpaceType::Network));
    enter(netns).map_err(|errno| Error::Namespace(errno.into()))?;
    let socket = Socket::route();
    if let Err(errno) = enter(own.as_fd()) {
        // The kernel has no reason to refuse. If it does, nothing that this thread does next can be right.
        eprintln!("cannot return to the host's network namespace: {errno}");
        std::process::abort();
    }
    Ok(socket?)
}
