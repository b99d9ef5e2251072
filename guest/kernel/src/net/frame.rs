//! What a received frame is, as far as finding its socket needs it. Nothing is trusted: every length is checked here, and
//! what is not understood goes to the protocol stack, which answers or drops it.

use core::net::{Ipv4Addr, SocketAddrV4};

const ETHERNET_HEADER: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;

/// The flags of a TCP segment that choose its way (RFC 9293, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpFlags {
    /// Opens a connection: SYN without ACK.
    pub(crate) opening: bool,
    /// Resets the connection.
    pub(crate) reset: bool,
}

/// A frame's kind, with the two ends where it has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A TCP segment.
    Tcp {
        /// Who sent it.
        from: SocketAddrV4,
        /// To whom.
        to: SocketAddrV4,
        /// What it says.
        flags: TcpFlags,
    },
    /// A whole UDP datagram.
    Udp {
        /// Who sent it.
        from: SocketAddrV4,
        /// To whom.
        to: SocketAddrV4,
        /// The user's data.
        payload: &'a [u8],
    },
    /// "Port unreachable" for a UDP datagram that we sent (RFC 792).
    Unreachable {
        /// Our end.
        from: SocketAddrV4,
        /// The end that is not there.
        to: SocketAddrV4,
    },
    /// Address resolution.
    Arp,
    /// Something else.
    Other,
}

/// Classifies an Ethernet frame (without the virtio-net header).
pub(crate) fn classify(frame: &[u8]) -> Frame<'_> {
    match be16(frame, 12) {
        Some(ETHERTYPE_IPV4) => ipv4(&frame[ETHERNET_HEADER..]).unwrap_or(Frame::Other),
        Some(ETHERTYPE_ARP) => Frame::Arp,
        _ => Frame::Other,
    }
}

struct Ipv4<'a> {
    protocol: u8,
    from: Ipv4Addr,
    to: Ipv4Addr,
    payload: &'a [u8],
}

/// The header of RFC 791. `None` for what is malformed or a fragment.
fn ipv4_header(packet: &[u8], whole: bool) -> Option<Ipv4<'_>> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let total = usize::from(be16(packet, 2)?);
    let fragment = be16(packet, 6)? & 0x3fff;
    if packet[0] >> 4 != 4 || header < 20 || total < header || fragment != 0 {
        return None;
    }
    let end = if whole { total } else { packet.len().min(total) };
    Some(Ipv4 {
        protocol: *packet.get(9)?,
        from: address(packet, 12)?,
        to: address(packet, 16)?,
        payload: packet.get(header..end)?,
    })
}

fn ipv4(packet: &[u8]) -> Option<Frame<'_>> {
    let ip = ipv4_header(packet, true)?;
    let segment = ip.payload;
    if ip.protocol == PROTOCOL_ICMP {
        return unreachable(segment);
    }
    let from = SocketAddrV4::new(ip.from, be16(segment, 0)?);
    let to = SocketAddrV4::new(ip.to, be16(segment, 2)?);
    match ip.protocol {
        PROTOCOL_TCP => {
            let bits = *segment.get(13)?;
            let flags = TcpFlags { opening: bits & 0b1_0110 == 0b10, reset: bits & 0b100 != 0 };
            Some(Frame::Tcp { from, to, flags })
        }
        PROTOCOL_UDP => {
            let length = usize::from(be16(segment, 4)?);
            Some(Frame::Udp { from, to, payload: segment.get(8..length)? })
        }
        _ => None,
    }
}

/// The header of the refused datagram inside an ICMP "port unreachable" message.
fn unreachable(message: &[u8]) -> Option<Frame<'_>> {
    if message.get(..2)? != [3, 3] {
        return None;
    }
    let ip = ipv4_header(message.get(8..)?, false)?;
    if ip.protocol != PROTOCOL_UDP {
        return None;
    }
    let from = SocketAddrV4::new(ip.from, be16(ip.payload, 0)?);
    let to = SocketAddrV4::new(ip.to, be16(ip.payload, 2)?);
    Some(Frame::Unreachable { from, to })
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(length: u16, total: u16) -> Vec<u8> {
        let mut frame = vec![0u8; 12];
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend(total.to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0x12, 0x34, 0, 53]);
        frame.extend(length.to_be_bytes());
        frame.extend([0, 0, b'h', b'i', b'!', 0, 0]);
        frame
    }

    #[test]
    fn a_datagram_is_cut_at_its_own_length() {
        let frame = udp(11, 31);
        let Frame::Udp { from, to, payload } = classify(&frame) else { panic!() };
        assert_eq!((from.to_string(), to.to_string()), ("10.0.0.1:4660".into(), "10.0.0.2:53".into()));
        assert_eq!(payload, b"hi!");
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(classify(&udp(100, 31)), Frame::Other);
        assert_eq!(classify(&udp(7, 31)), Frame::Other);
        assert_eq!(classify(&udp(11, 2000)), Frame::Other);
        let whole = udp(11, 31);
        for cut in 0..whole.len() - 2 {
            assert_eq!(classify(&whole[..cut]), Frame::Other, "cut at {cut}");
        }
    }
}
