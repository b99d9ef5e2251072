//! Structures and constants of poll(2), select(2) and epoll(7).

crate::abi! {
    /// `struct pollfd` (`include/uapi/asm-generic/poll.h`).
    pub struct PollFd: 8 {
        /// The descriptor; negative: ignored.
        pub fd: i32,
        /// The events asked for.
        pub events: i16,
        /// The events found.
        pub revents: i16,
    }
}

/// `revents` of a descriptor that is not open.
pub const POLLNVAL: i16 = 0x20;
/// Normal data can be read (with `POLLIN`).
pub const POLLRDNORM: u32 = 0x40;
/// Normal data can be written (with `POLLOUT`).
pub const POLLWRNORM: u32 = 0x100;

/// The size of `struct epoll_event` (`include/uapi/linux/eventpoll.h`): packed on x86-64, `events` and then `data`.
pub const EPOLL_EVENT_SIZE: usize = 12;
/// epoll_ctl(2): add.
pub const EPOLL_CTL_ADD: i32 = 1;
/// epoll_ctl(2): remove.
pub const EPOLL_CTL_DEL: i32 = 2;
/// epoll_ctl(2): change.
pub const EPOLL_CTL_MOD: i32 = 3;
/// epoll_create1(2): close on exec.
pub const EPOLL_CLOEXEC: u32 = 0o2000000;
/// Wake only one of several waiters.
pub const EPOLLEXCLUSIVE: u32 = 1 << 28;
/// Keep the system awake (no meaning here).
pub const EPOLLWAKEUP: u32 = 1 << 29;
/// Disarm after one report.
pub const EPOLLONESHOT: u32 = 1 << 30;
/// Report changes, not states.
pub const EPOLLET: u32 = 1 << 31;
/// The largest `maxevents` (`EP_MAX_EVENTS`).
pub const EP_MAX_EVENTS: i32 = i32::MAX / EPOLL_EVENT_SIZE as i32;
