//! Sockets and the TCP/IP stack.
//!
//! [`socket::Socket`] is the file behind a descriptor; its kinds are [`tcp`], [`udp`], [`unix`] and [`netlink`]. [`stack`]
//! holds the protocols behind one lock; [`pair`] the streams that stay inside the instance. [`calls`] decodes the system calls.

mod address;
mod calls;
mod endpoint;
mod frame;
mod fuzz;
mod interfaces;
mod ioctl;
mod link;
mod mailbox;
mod netlink;
mod options;
mod pair;
mod socket;
mod stack;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod unix;

use boot_info::Network;
use platform::Deadline;

pub(crate) use calls::SYSCALLS;
pub use fuzz::parse_packets;

/// Starts the network of the instance: the interface, its address and its route. Without a network only the loopback works.
pub(crate) fn init(network: Option<&Network>) {
    stack::init(network);
}

/// Receives what has arrived, runs the protocols and sends; says when it wants to be called again if no packet comes.
/// Called by the watcher, and by whoever is about to say that nothing is ready (`epoll_wait` with a zero timeout).
pub(crate) fn poll() -> Option<Deadline> {
    stack::poll()
}
