//! ioctl(2) of sockets: what can be read, and the interfaces (netdevice(7)).

use linux_abi::Errno;
use linux_abi::net::{af, sio};
use platform::UserAddr;

use crate::mem::{read_value, write_slice, write_value};
use crate::net::interfaces::{self, Interface};
use crate::net::socket::{Kind, Socket};

/// `struct ifreq`: the name, then a union.
const IFREQ: usize = 40;
const NAME: usize = 16;

/// Serves a request.
pub(crate) fn ioctl(socket: &Socket, request: u32, argument: UserAddr) -> Result<i64, Errno> {
    match request {
        sio::FIONREAD | sio::SIOCOUTQ => {
            let (readable, unsent) = match &socket.kind {
                Kind::Tcp(tcp) => tcp.queued()?,
                Kind::Udp(udp) => (udp.queued(), 0),
                Kind::Unix(unix) => (unix.queued(), 0),
                Kind::Netlink(_) => (0, 0),
            };
            let value = if request == sio::FIONREAD { readable } else { unsent };
            write_value(argument, &(value as u32))?;
        }
        // There is no urgent data, so no mark either.
        sio::SIOCATMARK => write_value(argument, &0u32)?,
        sio::GIFCONF => configuration(argument)?,
        sio::GIFNAME => {
            let mut ifreq: [u8; IFREQ] = read_value(argument)?;
            let index = u32::from_le_bytes([ifreq[16], ifreq[17], ifreq[18], ifreq[19]]);
            let all = interfaces::all();
            let interface = all.iter().find(|i| i.index == index).ok_or(Errno::ENODEV)?;
            ifreq[..NAME].copy_from_slice(&name(interface));
            write_value(argument, &ifreq)?;
        }
        sio::GIFFLAGS
        | sio::GIFADDR
        | sio::GIFBRDADDR
        | sio::GIFNETMASK
        | sio::GIFMTU
        | sio::GIFHWADDR
        | sio::GIFINDEX => one(request, argument)?,
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

fn name(interface: &Interface) -> [u8; NAME] {
    let mut name = [0; NAME];
    name[..interface.name.len()].copy_from_slice(interface.name.as_bytes());
    name
}

/// `struct sockaddr_in` in the union of an `ifreq`.
fn internet(address: [u8; 4]) -> [u8; 24] {
    let mut union = [0; 24];
    union[..2].copy_from_slice(&af::INET.to_le_bytes());
    union[4..8].copy_from_slice(&address);
    union
}

/// A request about the interface that the `ifreq` names.
fn one(request: u32, argument: UserAddr) -> Result<(), Errno> {
    let mut ifreq: [u8; IFREQ] = read_value(argument)?;
    let wanted = ifreq[..NAME].split(|b| *b == 0).next().unwrap_or_default();
    let all = interfaces::all();
    let interface = all.iter().find(|i| i.name.as_bytes() == wanted).ok_or(Errno::ENODEV)?;
    let (address, prefix) = interface.v4().ok_or(Errno::EADDRNOTAVAIL)?;
    let mut number = [0; 24];
    let union = match request {
        sio::GIFADDR => internet(address.octets()),
        sio::GIFNETMASK => internet(interfaces::mask(prefix).to_be_bytes()),
        sio::GIFBRDADDR => internet(interface.broadcast().map_or([0; 4], |b| b.octets())),
        sio::GIFHWADDR => {
            number[..2].copy_from_slice(&interface.hardware.to_le_bytes());
            number[2..8].copy_from_slice(&interface.mac);
            number
        }
        _ => {
            let value = match request {
                sio::GIFFLAGS => interface.flags & 0xffff,
                sio::GIFMTU => interface.mtu,
                _ => interface.index,
            };
            number[..4].copy_from_slice(&value.to_le_bytes());
            number
        }
    };
    ifreq[NAME..].copy_from_slice(&union);
    write_value(argument, &ifreq)
}

/// `SIOCGIFCONF`: the interfaces with their IPv4 addresses, as many as fit.
fn configuration(argument: UserAddr) -> Result<(), Errno> {
    let [len, at]: [u64; 2] = read_value(argument)?;
    let room = (len as u32 as usize) / IFREQ;
    let all = interfaces::all();
    let mut count = 0;
    for interface in all.iter().filter(|i| i.v4().is_some()) {
        if at != 0 {
            if count == room {
                break;
            }
            let mut ifreq = [0u8; IFREQ];
            ifreq[..NAME].copy_from_slice(&name(interface));
            let address = interface.v4().map_or([0; 4], |(ip, _)| ip.octets());
            ifreq[NAME..].copy_from_slice(&internet(address));
            write_slice(UserAddr(at).add((count * IFREQ) as u64), &ifreq)?;
        }
        count += 1;
    }
    write_value(argument, &((count * IFREQ) as u32))
}
