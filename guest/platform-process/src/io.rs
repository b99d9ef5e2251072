//! The console, packets, and the one wait for the outside.

use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::{Errno, nr};
use platform::{Deadline, IoReady, Stream};

use crate::host::{self, PollFd, Timespec};
use crate::state::state;
use crate::{fd, pending};

const POLLIN: i16 = 1;
const POLLOUT: i16 = 4;
const TIOCGWINSZ: u64 = 0x5413;
const TCSETS: u64 = 0x5402;

/// What the waiting thread does, so that a kick costs a host call only when somebody sleeps.
static WAITER: AtomicU32 = AtomicU32::new(AWAKE);
const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;
const KICKED: u32 = 2;

/// See [`platform::Machine::wait_io`].
pub(crate) fn wait(stdin: bool, deadline: Option<Deadline>) -> IoReady {
    let mut ready = IoReady::default();
    if WAITER.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_err() {
        WAITER.store(AWAKE, Ordering::Release);
        ready.kicked = true;
        return ready;
    }
    let entry = |fd: u32| PollFd { fd: fd as i32, events: POLLIN, revents: 0 };
    let ignored = PollFd { fd: -1, events: 0, revents: 0 };
    let mut fds = [
        entry(state().kick),
        if state().info.network.is_some() { entry(fd::TAP) } else { ignored },
        if stdin { entry(Stream::Stdin as u32) } else { ignored },
    ];
    let timeout = deadline.map(|d| Timespec::from_ns(d.saturating_sub(state().clock.monotonic())));
    match host::ppoll(&mut fds, timeout) {
        Ok(0) => ready.timed_out = true,
        Ok(_) => {}
        Err(_) => {
            pending::clear();
            ready.interrupted = true;
        }
    }
    ready.packets = fds[1].revents != 0;
    ready.stdin = fds[2].revents != 0;
    if WAITER.swap(AWAKE, Ordering::AcqRel) == KICKED {
        ready.kicked = true;
        let mut counter = [0; 8];
        // The kick was announced before it was written, so this waits for it at most a moment.
        let _ = host::read(state().kick, &mut counter);
    }
    ready
}

/// See [`platform::Machine::kick`].
pub(crate) fn kick() {
    if WAITER.swap(KICKED, Ordering::AcqRel) == ASLEEP {
        let _ = host::write(state().kick, &1u64.to_ne_bytes());
    }
}

/// See [`platform::Machine::receive_packet`].
pub(crate) fn receive(buffer: &mut [u8]) -> Option<usize> {
    state().info.network?;
    host::read(fd::TAP, buffer).ok()
}

/// See [`platform::Machine::send_packet`].
pub(crate) fn send(parts: &[&[u8]]) -> bool {
    // A TAP refuses a packet only for good (malformed) or for want of room; the latter alone is worth another try.
    state().info.network.is_none() || !matches!(host::writev(fd::TAP, parts), Err(Errno::EAGAIN))
}

/// See [`platform::Machine::console_write`].
pub(crate) fn write(stream: Stream, data: &[u8]) -> Result<usize, Errno> {
    loop {
        match host::write(stream as u32, data) {
            // Somebody made the console non-blocking.
            Err(Errno::EAGAIN) => {}
            Err(Errno::EINTR) => return Err(Errno::ERESTARTSYS),
            other => return other,
        }
        let mut fds = [PollFd { fd: stream as i32, events: POLLOUT, revents: 0 }];
        if host::ppoll(&mut fds, None).is_err() {
            pending::clear();
            return Err(Errno::ERESTARTSYS);
        }
    }
}

/// See [`platform::Machine::console_read`].
pub(crate) fn read(data: &mut [u8]) -> Result<usize, Errno> {
    let mut fds = [PollFd { fd: Stream::Stdin as i32, events: POLLIN, revents: 0 }];
    match host::poll_now(&mut fds)? {
        0 => Err(Errno::EAGAIN),
        _ => host::read(Stream::Stdin as u32, data),
    }
}

/// See [`platform::Machine::window_size`].
#[allow(unsafe_code)]
pub(crate) fn window_size() -> Option<(u16, u16)> {
    let mut size = [0u16; 4];
    // SAFETY: the host writes a `struct winsize`, four words: rows, columns and two that nobody uses.
    let result = unsafe { host::call(nr::IOCTL, [0, TIOCGWINSZ, size.as_mut_ptr() as u64, 0, 0, 0]) };
    (result == 0).then_some((size[1], size[0]))
}

/// See [`platform::Machine::set_terminal`].
#[allow(unsafe_code)]
pub(crate) fn set_terminal(termios: &[u8; 36]) {
    // SAFETY: the host reads a `struct termios`: four words, a byte and 19 characters. Without a terminal it says so, and the
    // kernel's own copy is all there is.
    unsafe { host::call(nr::IOCTL, [0, TCSETS, termios.as_ptr() as u64, 0, 0, 0]) };
}
