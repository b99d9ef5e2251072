//! Sockets and the TCP/IP stack.

use boot_info::Network;
use platform::Deadline;

/// Starts the network of the instance: the interface, its address and its route. Without a network only the loopback works.
pub(crate) fn init(_network: Option<&Network>) {}

/// Whether packets may arrive, so that a sleeping thread has to watch for them.
pub(crate) fn active() -> bool {
    false
}

/// Receives what has arrived, runs the protocols and sends; says when it wants to be called again if no packet comes.
/// Called by the watcher, and by whoever is about to say that nothing is ready (`epoll_wait` with a zero timeout).
pub(crate) fn poll() -> Option<Deadline> {
    None
}

/// The calls of sockets.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];
