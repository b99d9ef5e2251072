//! Network interfaces of the host that are moved into a container (`linux.netDevices`). They keep their addresses.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::netdevice::name_to_index;
use rustix::thread::ThreadNameSpaceType;

use super::packet::{self, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, Request};
use crate::spec::NetDevice;

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFF_UP: u32 = 1;
/// An address that the user gave, not one that a router or a lease did.
const IFA_F_PERMANENT: u8 = 0x80;

/// An address of an interface: `struct ifaddrmsg` without the index, and what of its attributes is kept.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    family: u8,
    prefix: u8,
    attributes: Vec<(u16, Vec<u8>)>,
}

/// Moves interfaces into the network namespace of a process, renames them, and gives them their addresses again.
///
/// The caller enters that namespace for a moment.
pub(crate) fn move_devices(
    pidfd: BorrowedFd<'_>,
    namespace: BorrowedFd<'_>,
    devices: &[NetDevice<'_>],
) -> io::Result<()> {
    let socket = packet::socket()?;
    let mut addresses = Vec::new();
    for device in devices {
        let index = name_to_index(&socket, device.name)?;
        addresses.push(permanent_addresses(&socket, index)?);
        let request = Request::new(RTM_NEWLINK, NLM_F_ACK, &link(index, 0))
            .attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes())?
            .attribute(IFLA_IFNAME, &terminated(device.new_name))?;
        packet::transact(&socket, request)?;
    }
    let own = rustix::fs::open("/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::thread::move_into_thread_name_spaces(pidfd, ThreadNameSpaceType::NETWORK)?;
    let inside = packet::socket();
    rustix::thread::move_into_thread_name_spaces(own.as_fd(), ThreadNameSpaceType::NETWORK)?;
    let inside = inside?;
    for (device, addresses) in devices.iter().zip(addresses) {
        let index = name_to_index(&inside, device.new_name)?;
        addresses.iter().try_for_each(|address| add(&inside, index, address))?;
        packet::transact(&inside, Request::new(RTM_NEWLINK, NLM_F_ACK, &link(index, IFF_UP)))?;
    }
    Ok(())
}

/// `struct ifinfomsg` with these flags set.
fn link(index: u32, flags: u32) -> [u8; 16] {
    let mut body = [0; 16];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&flags.to_ne_bytes());
    body
}

fn terminated(name: &str) -> Vec<u8> {
    name.bytes().chain([0]).collect()
}

fn permanent_addresses(socket: impl AsFd, index: u32) -> io::Result<Vec<Address>> {
    let mut found = Vec::new();
    packet::each_answer(socket, Request::new(RTM_GETADDR, NLM_F_DUMP, &[0; 8]), |kind, content| {
        if kind == RTM_NEWADDR {
            found.extend(address(content, index));
        }
    })?;
    Ok(found)
}

/// An address of this interface that is global and permanent.
fn address(content: &[u8], index: u32) -> Option<Address> {
    let (header, rest) = content.split_at_checked(8)?;
    let of = u32::from_ne_bytes(header[4..8].try_into().ok()?);
    let [family, prefix, flags, scope] = *header.first_chunk()?;
    if of != index || scope != 0 || flags & IFA_F_PERMANENT == 0 {
        return None;
    }
    let kept = packet::attributes(rest).filter(|(kind, _)| [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST].contains(kind));
    Some(Address { family, prefix, attributes: kept.map(|(kind, value)| (kind, value.to_vec())).collect() })
}

fn add(socket: impl AsFd, index: u32, address: &Address) -> io::Result<()> {
    let mut body = [address.family, address.prefix, IFA_F_PERMANENT, 0, 0, 0, 0, 0];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    let mut request = Request::new(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &body);
    for (kind, value) in &address.attributes {
        request = request.attribute(*kind, value)?;
    }
    packet::transact(socket, request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permanent_global_addresses_of_the_interface_are_kept() {
        let message = |flags: u8, scope: u8| {
            let mut bytes = vec![2, 24, flags, scope, 7, 0, 0, 0];
            bytes.extend([8, 0, 1, 0, 10, 0, 0, 1]);
            bytes.extend([8, 0, 3, 0, b'e', b't', b'h', 0]);
            bytes
        };
        let found = address(&message(IFA_F_PERMANENT, 0), 7).unwrap();
        assert_eq!(found, Address { family: 2, prefix: 24, attributes: vec![(IFA_ADDRESS, vec![10, 0, 0, 1])] });
        assert_eq!(address(&message(IFA_F_PERMANENT, 0), 8), None);
        assert_eq!(address(&message(IFA_F_PERMANENT, 253), 7), None);
        assert_eq!(address(&message(0, 0), 7), None);
        assert_eq!(address(&[2, 24], 7), None);
    }
}
