//! The device under the protocol stack: Ethernet frames behind the 12-byte header of virtio-net, through which the host
//! takes over checksums and segmentation (Virtual I/O Device specification 1.2, section 5.1.6; `linux/virtio_net.h`).

use alloc::vec;
use alloc::vec::Vec;

use smoltcp::phy::{self, Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, PacketMeta};
use smoltcp::time::Instant;

use crate::machine::machine;

/// The length of `struct virtio_net_hdr_v1` in bytes.
pub(crate) const HEADER: usize = 12;
/// The length of an Ethernet header in bytes.
pub(crate) const ETHERNET: usize = 14;
/// The largest frame: a 64 KiB packet in its Ethernet header.
pub(crate) const LARGEST: usize = 65535 + ETHERNET;

const F_NEEDS_CSUM: u8 = 1;
const GSO_TCPV4: u8 = 1;

/// The buffer in which frames are made, and what became of them.
pub(crate) struct Transmit {
    buffer: Vec<u8>,
    /// Frames with an IP packet so far: how the stack sees that a packet waits for address resolution instead.
    pub(crate) packets: u64,
    /// The last of them filled the largest packet, so more may follow.
    pub(crate) filled: bool,
    mtu: usize,
}

impl Transmit {
    /// A buffer for the largest frame. `mtu` counts the IP packet alone.
    pub(crate) fn new(mtu: u16) -> Self {
        Self { buffer: vec![0; HEADER + LARGEST], packets: 0, filled: false, mtu: usize::from(mtu).max(576) }
    }

    /// Fills in the virtio-net header and the partial checksum of the frame of `len` bytes, and sends it. A full queue loses
    /// the frame, as a network may.
    fn send(&mut self, len: usize, segment: Option<u16>) {
        let (header, frame) = self.buffer[..HEADER + len].split_at_mut(HEADER);
        header.fill(0);
        if frame.get(12..14) == Some(&[0x08, 0x00]) {
            self.packets += 1;
            self.filled = len >= self.mtu;
            offload(header, frame, segment);
        }
        machine().send_packet(&[&self.buffer[..HEADER + len]]);
    }

    /// Sends a frame that somebody else has made.
    pub(crate) fn send_frame(&mut self, frame: &[u8]) {
        self.buffer[HEADER..HEADER + frame.len()].copy_from_slice(frame);
        self.send(frame.len(), None);
    }
}

/// Asks the device to complete the TCP or UDP checksum (and to cut the segment), leaving the pseudo-header's sum in its place.
fn offload(header: &mut [u8], frame: &mut [u8], segment: Option<u16>) {
    let ip_header = usize::from(frame[ETHERNET] & 0xf) * 4;
    let start = ETHERNET + ip_header;
    let protocol = frame[ETHERNET + 9];
    let offset = match protocol {
        6 => 16,
        17 => 6,
        _ => return,
    };
    let length = frame.len() - start;
    let sum = pseudo_header_sum(&frame[ETHERNET + 12..ETHERNET + 20], protocol, length);
    frame[start + offset..start + offset + 2].copy_from_slice(&sum.to_be_bytes());
    header[0] = F_NEEDS_CSUM;
    header[6..8].copy_from_slice(&(start as u16).to_le_bytes());
    header[8..10].copy_from_slice(&(offset as u16).to_le_bytes());
    if let Some(size) = segment {
        let tcp_header = usize::from(frame[start + 12] >> 4) * 4;
        header[1] = GSO_TCPV4;
        header[2..4].copy_from_slice(&((start + tcp_header) as u16).to_le_bytes());
        header[4..6].copy_from_slice(&size.to_le_bytes());
    }
}

/// The one's complement sum (not inverted) of RFC 9293's pseudo-header.
fn pseudo_header_sum(addresses: &[u8], protocol: u8, length: usize) -> u16 {
    let words = addresses.chunks_exact(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
    let mut sum = words.sum::<u32>() + u32::from(protocol) + length as u32;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The device as the protocol stack sees it for one step: at most one received frame, and the way out.
pub(crate) struct Link<'a> {
    /// The frame to process.
    pub(crate) frame: Option<&'a [u8]>,
    /// The way out.
    pub(crate) transmit: &'a mut Transmit,
}

impl Device for Link<'_> {
    type RxToken<'t>
        = Received<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Sending<'t>
    where
        Self: 't;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        let frame = self.frame.take()?;
        Some((Received(frame), Sending { transmit: self.transmit, segment: None }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Sending<'_>> {
        Some(Sending { transmit: self.transmit, segment: None })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut checksum = ChecksumCapabilities::ignored();
        checksum.ipv4 = Checksum::Both;
        checksum.icmpv4 = Checksum::Both;
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.transmit.mtu + ETHERNET;
        capabilities.checksum = checksum;
        capabilities.segmentation.tcpv4 = core::num::NonZeroUsize::new(LARGEST);
        capabilities
    }
}

/// A received frame on its way in.
pub(crate) struct Received<'a>(&'a [u8]);

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// A frame on its way out.
pub(crate) struct Sending<'a> {
    transmit: &'a mut Transmit,
    segment: Option<u16>,
}

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let len = len.min(LARGEST);
        let result = f(&mut self.transmit.buffer[HEADER..HEADER + len]);
        self.transmit.send(len, self.segment);
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.segment = meta.segmentation_offload_size.map(core::num::NonZero::get);
    }
}

/// An ARP announcement of our own address (RFC 5227, section 3): bridges and neighbours learn where we are before they ask.
pub(crate) fn announcement(mac: [u8; 6], address: [u8; 4]) -> [u8; 42] {
    let mut frame = [0u8; 42];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&mac);
    frame[12..22].copy_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&address);
    frame[38..42].copy_from_slice(&address);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pseudo_header_sum_wraps_around() {
        assert_eq!(pseudo_header_sum(&[0xff, 0xff, 0, 0, 0, 0, 0, 0], 6, 20), 26);
        assert_eq!(pseudo_header_sum(&[10, 0, 0, 1, 10, 0, 0, 2], 6, 20), 0x141d);
    }

    #[test]
    fn a_large_segment_is_left_to_the_device() {
        let mut frame = vec![0u8; ETHERNET + 20 + 32 + 3000];
        frame[ETHERNET] = 0x45;
        frame[ETHERNET + 9] = 6;
        frame[ETHERNET + 20 + 12] = 8 << 4;
        let mut header = [0u8; HEADER];
        offload(&mut header, &mut frame, Some(1448));
        assert_eq!(header[..2], [F_NEEDS_CSUM, GSO_TCPV4]);
        assert_eq!(header[2..10], [66, 0, 0xa8, 5, 34, 0, 16, 0]);
        assert_eq!(frame[ETHERNET + 20 + 16..][..2], 3038u16.to_be_bytes());
    }
}
