//! Switches the loopback interface on: one netlink message (rtnetlink(7)), because `ioctl` would need unsafe code.

use std::io;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const RTM_NEWLINK: u16 = 16;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const IFF_UP: u32 = 1;
/// The loopback interface is the first of every network namespace.
const LOOPBACK: u32 = 1;
const LENGTH: usize = 32;

pub(crate) fn up() -> io::Result<()> {
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    rustix::net::send(&socket, &request(), SendFlags::empty())?;
    let mut answer = [0u8; 64];
    let (length, _) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    check(&answer[..length])
}

/// `struct nlmsghdr` and `struct ifinfomsg`.
fn request() -> [u8; LENGTH] {
    let mut message = [0u8; LENGTH];
    message[0..4].copy_from_slice(&(LENGTH as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&NLM_F_REQUEST_ACK.to_ne_bytes());
    message[20..24].copy_from_slice(&LOOPBACK.to_ne_bytes());
    message[24..28].copy_from_slice(&IFF_UP.to_ne_bytes());
    message[28..32].copy_from_slice(&IFF_UP.to_ne_bytes());
    message
}

/// An acknowledgement is an error message with the number 0.
fn check(answer: &[u8]) -> io::Result<()> {
    match (answer.get(4..6), answer.get(16..20)) {
        (Some(kind), Some(&[a, b, c, d])) if kind == NLMSG_ERROR.to_ne_bytes() => {
            match i32::from_ne_bytes([a, b, c, d]) {
                0 => Ok(()),
                errno => Err(io::Error::from_raw_os_error(errno.wrapping_neg())),
            }
        }
        _ => Err(Errno::PROTO.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let mut answer = [0u8; 36];
        answer[4] = NLMSG_ERROR as u8;
        assert!(check(&answer).is_ok());
        answer[16..20].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        assert_eq!(check(&answer).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(check(&answer[..12]).is_err());
    }
}
