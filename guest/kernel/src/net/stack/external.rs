//! The interface to the outside: Ethernet, ARP, IPv4 and the device.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use boot_info::Network;
use platform::Deadline;
use smoltcp::iface::{Config, Interface, PollResult, SocketSet};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};

use crate::machine::machine;
use crate::net::link::{self, Link, Transmit};

/// The time of the protocol stack.
pub(crate) fn instant(now: Deadline) -> Instant {
    Instant::from_micros((now / 1000) as i64)
}

/// Our time of an instant of the protocol stack.
fn deadline(instant: Instant) -> Deadline {
    (instant.total_micros().max(0) as u64).saturating_mul(1000)
}

/// The one external interface.
pub(crate) struct External {
    interface: Interface,
    transmit: Transmit,
    /// The set of no sockets: for what nobody waits for, and for what the interface answers by itself.
    nobody: SocketSet<'static>,
    /// The configuration.
    pub(crate) network: Network,
}

impl External {
    /// Sets the interface up, and tells the neighbours.
    pub(crate) fn new(network: Network, now: Deadline) -> Self {
        let mut transmit = Transmit::new(network.mtu);
        let mut config = Config::new(EthernetAddress(network.mac).into());
        let mut seed = [0u8; 8];
        machine().random(&mut seed);
        config.random_seed = u64::from_ne_bytes(seed);
        let mut device = Link { frame: None, transmit: &mut transmit };
        let mut interface = Interface::new(config, &mut device, instant(now));
        let address = Ipv4Addr::from(network.address);
        interface.update_ip_addrs(|addresses| {
            // The first of four places: it fits.
            let _ = addresses.push(IpCidr::new(address.into(), network.prefix.min(32)));
        });
        if network.gateway != [0; 4] {
            // The first of two routes: it fits.
            let _ = interface.routes_mut().add_default_ipv4_route(Ipv4Addr::from(network.gateway));
        }
        transmit.send_frame(&link::announcement(network.mac, network.address));
        Self { interface, transmit, nobody: SocketSet::new(Vec::new()), network }
    }

    /// A buffer for the largest frame with its header.
    pub(crate) fn frame_buffer() -> Vec<u8> {
        vec![0; link::HEADER + link::LARGEST]
    }

    /// Our address.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.network.address.into()
    }

    /// Whether an address can be reached without the gateway.
    pub(crate) fn is_neighbour(&self, other: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.network.prefix.min(32))).unwrap_or(0);
        (u32::from(other) ^ u32::from(self.address())) & mask == 0
    }

    /// The protocol stack's context, for calls on sockets that need it.
    pub(crate) fn context(&mut self) -> &mut smoltcp::iface::Context {
        self.interface.context()
    }

    /// Processes a frame for a set of sockets; what the stack answers at once is sent.
    pub(crate) fn receive(&mut self, frame: &[u8], sockets: &mut SocketSet<'static>, now: Deadline) {
        let mut device = Link { frame: Some(frame), transmit: &mut self.transmit };
        let _ = self.interface.poll_ingress_single(instant(now), &mut device, sockets);
    }

    /// Processes a frame that belongs to no socket.
    pub(crate) fn receive_for_nobody(&mut self, frame: &[u8], now: Deadline) {
        let mut device = Link { frame: Some(frame), transmit: &mut self.transmit };
        let _ = self.interface.poll_ingress_single(instant(now), &mut device, &mut self.nobody);
    }

    /// Sends what a connection has to send, and says whether that was anything. Nothing is sent as long as the link address
    /// of the next hop is being asked for.
    pub(crate) fn flush(&mut self, sockets: &mut SocketSet<'static>, now: Deadline) -> bool {
        let before = self.transmit.packets;
        loop {
            self.transmit.filled = false;
            // A packet that is not full was the connection's last: no need to ask.
            if !self.send_one(sockets, now) || !self.transmit.filled {
                return self.transmit.packets != before;
            }
        }
    }

    /// Sends the datagrams of a socket, as far as the link addresses of their next hops are known.
    pub(crate) fn flush_datagrams(&mut self, sockets: &mut SocketSet<'static>, now: Deadline) {
        while self.send_one(sockets, now) {}
    }

    fn send_one(&mut self, sockets: &mut SocketSet<'static>, now: Deadline) -> bool {
        let mut device = Link { frame: None, transmit: &mut self.transmit };
        self.interface.poll_egress(instant(now), &mut device, sockets) != PollResult::None
    }

    /// When a set of sockets wants to be looked at again.
    pub(crate) fn next_deadline(&mut self, sockets: &SocketSet<'static>, now: Deadline) -> Option<Deadline> {
        self.interface.poll_at(instant(now), sockets).map(deadline)
    }
}
