//! Sockets and the TCP/IP stack.

/// The calls of sockets.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];
