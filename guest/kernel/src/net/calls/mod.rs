//! The system calls of sockets: their arguments are decoded here, once, and the results encoded.

mod address;
mod data;
mod message;
mod names;
mod open;
mod options;
mod options_get;

use alloc::sync::Arc;

use linux_abi::{Errno, nr};

use crate::net::socket::Socket;
use crate::syscall::{Row, Support, row};
use crate::vfs::OpenFile;
use crate::wait::block_on;

/// The calls of sockets.
pub(crate) const SYSCALLS: &[Row] = &[
    row(nr::SOCKET, open::socket, Support::Partial("AF_INET, AF_INET6, AF_UNIX, AF_NETLINK (route, listing only)")),
    row(nr::SOCKETPAIR, open::socketpair, Support::Full),
    row(nr::BIND, names::bind, Support::Full),
    row(nr::LISTEN, names::listen, Support::Full),
    row(nr::ACCEPT, names::accept, Support::Full),
    row(nr::ACCEPT4, names::accept4, Support::Full),
    row(nr::CONNECT, names::connect, Support::Partial("a TCP socket cannot be disconnected with AF_UNSPEC")),
    row(nr::GETSOCKNAME, names::getsockname, Support::Full),
    row(nr::GETPEERNAME, names::getpeername, Support::Full),
    row(nr::SHUTDOWN, names::shutdown, Support::Full),
    row(nr::SENDTO, data::sendto, Support::Partial("no urgent data; UDP up to one packet")),
    row(nr::RECVFROM, data::recvfrom, Support::Partial("no urgent data")),
    row(nr::SENDMSG, message::sendmsg, Support::Partial("control messages: SCM_RIGHTS, SCM_CREDENTIALS")),
    row(nr::RECVMSG, message::recvmsg, Support::Partial("control messages: SCM_RIGHTS, SCM_CREDENTIALS, IP_PKTINFO")),
    row(nr::SENDMMSG, message::sendmmsg, Support::Partial("as sendmsg")),
    row(nr::RECVMMSG, message::recvmmsg, Support::Partial("as recvmsg")),
    row(nr::SETSOCKOPT, options::setsockopt, Support::Partial("the options of SPECIFICATION; others ENOPROTOOPT")),
    row(nr::GETSOCKOPT, options_get::getsockopt, Support::Partial("the options of SPECIFICATION; others ENOPROTOOPT")),
];

type Result<T = i64> = core::result::Result<T, Errno>;

/// The description of a socket's descriptor.
struct Handle(Arc<OpenFile>);

impl Handle {
    /// `EBADF` if the descriptor is not open, `ENOTSOCK` if it is no socket.
    fn get(fd: i32) -> Result<Self> {
        let open = crate::task::current().process.files.get(fd)?;
        match open.file.as_any().is::<Socket>() {
            true => Ok(Self(open)),
            false => Err(Errno::ENOTSOCK),
        }
    }

    fn socket(&self) -> Result<&Socket> {
        self.0.file.as_any().downcast_ref().ok_or(Errno::ENOTSOCK)
    }

    fn nonblocking(&self) -> bool {
        self.0.nonblocking()
    }

    /// Runs `attempt`, and waits for the socket as long as it gives `EAGAIN`, unless it must not wait. `timeout` is in
    /// nanoseconds, 0 for none; then `EAGAIN` at the end, and a signal ends the call for good (socket(7), `SO_RCVTIMEO`).
    fn wait<T>(&self, nonblocking: bool, timeout: u64, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        match attempt() {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
        if nonblocking {
            // Whoever asks again and again without ever sleeping must see packets arrive all the same.
            crate::net::poll();
            return attempt();
        }
        let queue = &self.socket()?.endpoint().queue;
        let deadline = (timeout > 0).then(|| crate::time::after(timeout));
        match block_on(queue, deadline, attempt) {
            Err(Errno::ERESTARTSYS) if timeout > 0 => Err(Errno::EINTR),
            result => result,
        }
    }
}

/// How many control messages a buffer holds, for the fuzzer.
pub(crate) fn control_messages(bytes: &[u8]) -> usize {
    message::Messages(bytes).count()
}
