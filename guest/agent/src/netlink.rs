//! The few rtnetlink(7) requests that one interface needs, as bytes.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const IFLA_MTU: u16 = 4;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_GATEWAY: u16 = 5;
const IFF_UP: u32 = 1;
const AF_INET: u8 = 2;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RTN_UNICAST: u8 = 1;

/// One request under construction.
struct Request(Vec<u8>);

impl Request {
    /// `header` is the family's own header, such as `struct ifinfomsg`.
    fn new(kind: u16, flags: u16, header: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]); // sequence number and port: one request at a time needs neither
        bytes.extend_from_slice(header);
        Self(bytes)
    }

    /// Adds an attribute of 4 bytes (`struct rtattr`).
    fn attribute(mut self, kind: u16, value: [u8; 4]) -> Self {
        self.0.extend_from_slice(&8u16.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(&value);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// Brings an interface up, with this MTU if given.
pub(crate) fn link_up(index: u32, mtu: Option<u32>) -> Vec<u8> {
    // struct ifinfomsg: family, padding, type, index, flags, change mask
    let mut header = vec![0; 4];
    header.extend_from_slice(&index.to_ne_bytes());
    header.extend_from_slice(&IFF_UP.to_ne_bytes());
    header.extend_from_slice(&IFF_UP.to_ne_bytes());
    let request = Request::new(RTM_NEWLINK, 0, &header);
    match mtu {
        Some(mtu) => request.attribute(IFLA_MTU, mtu.to_ne_bytes()).finish(),
        None => request.finish(),
    }
}

/// Gives an interface an address.
pub(crate) fn add_address(index: u32, address: Ipv4Addr, prefix: u8) -> Vec<u8> {
    // struct ifaddrmsg: family, prefix length, flags, scope, index
    let mut header = vec![AF_INET, prefix, 0, 0];
    header.extend_from_slice(&index.to_ne_bytes());
    let request = Request::new(RTM_NEWADDR, NLM_F_CREATE, &header);
    request.attribute(IFA_LOCAL, address.octets()).attribute(IFA_ADDRESS, address.octets()).finish()
}

/// Adds the default route.
pub(crate) fn add_default_route(gateway: Ipv4Addr) -> Vec<u8> {
    // struct rtmsg: family, destination and source prefix lengths, TOS, table, protocol, scope, type, flags
    let header = [AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0];
    Request::new(RTM_NEWROUTE, NLM_F_CREATE, &header).attribute(RTA_GATEWAY, gateway.octets()).finish()
}

/// A socket to the kernel's routing subsystem (`NETLINK_ROUTE` is protocol 0, the default).
pub(crate) fn socket() -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
}

/// Sends one request and returns the kernel's verdict.
pub(crate) fn request(socket: &OwnedFd, bytes: &[u8]) -> Result<(), Errno> {
    rustix::net::send(socket, bytes, SendFlags::empty())?;
    let mut buffer = [0u8; 1024];
    let (_, count) = rustix::net::recv(socket, &mut buffer, RecvFlags::empty())?;
    verdict(&buffer[..count])
}

/// Reads an acknowledgement: `struct nlmsghdr`, then `struct nlmsgerr` whose first field is 0 or a negative errno.
fn verdict(reply: &[u8]) -> Result<(), Errno> {
    let (Some([_, _, _, _, a, b]), Some([c, d, e, f])) = (reply.first_chunk(), reply.get(16..20)) else {
        return Err(Errno::BADMSG);
    };
    if u16::from_ne_bytes([*a, *b]) != NLMSG_ERROR {
        return Err(Errno::BADMSG);
    }
    match i32::from_ne_bytes([*c, *d, *e, *f]) {
        0 => Ok(()),
        code => Err(Errno::from_raw_os_error(code.checked_neg().unwrap_or(i32::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_aligned_and_carry_their_length() {
        for bytes in [
            link_up(2, Some(1500)),
            link_up(1, None),
            add_address(2, Ipv4Addr::LOCALHOST, 8),
            add_default_route(Ipv4Addr::LOCALHOST),
        ] {
            assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize, bytes.len());
            assert_eq!(bytes.len() % 4, 0);
        }
    }

    #[test]
    fn the_kernel_understands_a_request() {
        // No machine has this interface, so nothing changes.
        let answer = request(&socket().unwrap(), &link_up(u32::MAX >> 1, None));
        assert!(matches!(answer, Err(Errno::NODEV | Errno::PERM)), "{answer:?}");
    }

    #[test]
    fn verdicts() {
        let mut reply = vec![0u8; 36];
        reply[4] = 2;
        assert_eq!(verdict(&reply), Ok(()));
        reply[16..20].copy_from_slice(&(-17i32).to_ne_bytes());
        assert_eq!(verdict(&reply), Err(Errno::EXIST));
        assert_eq!(verdict(&reply[..19]), Err(Errno::BADMSG));
        assert_eq!(verdict(&[]), Err(Errno::BADMSG));
    }
}
