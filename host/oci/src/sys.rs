//! The few system calls that rustix does not wrap: signals as a descriptor (signalfd(2)), and what is to be done before
//! anything else.
#![allow(unsafe_code)] // The raw signal functions of libc have no safe form.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Makes a write to a closed pipe or socket an error instead of a death. What is executed gets the default back.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: ignoring a signal installs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Opens /dev/null for standard streams that are closed: a file of ours must not get one of their numbers.
pub(crate) fn open_standard_streams() {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the array is valid for its length; opening a constant path reads no other memory. The new descriptor has the
    // lowest free number, which is the closed stream's, and stays open for good.
    unsafe {
        match libc::poll(streams.as_mut_ptr(), streams.len() as libc::nfds_t, 0) {
            0 => return,
            // EINTR, or a limit of fewer than three descriptors (getrlimit(2)): each is asked for by itself.
            ..0 => streams.iter_mut().for_each(|stream| {
                stream.revents = if libc::fcntl(stream.fd, libc::F_GETFD) < 0 { libc::POLLNVAL } else { 0 };
            }),
            1.. => {}
        }
        for stream in streams {
            if stream.revents & libc::POLLNVAL != 0 && libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) < 0 {
                libc::abort();
            }
        }
    }
}

/// Blocks all signals that can be blocked and returns a descriptor from which they are read.
pub(crate) fn all_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by sigfillset before it is used; both calls change only this process, whose only thread
    // this is.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// The next signal that has come, if any.
pub(crate) fn next_signal(signals: &OwnedFd) -> Option<i32> {
    let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
    // SAFETY: the buffer is writable for its whole length.
    let read = unsafe { libc::read(signals.as_raw_fd(), info.as_mut_ptr().cast(), info.len()) };
    // `ssi_signo` is the first field.
    (read == info.len() as isize).then(|| i32::from_ne_bytes([info[0], info[1], info[2], info[3]]))
}

const SIGNALS: [(&str, i32); 34] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("IOT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("POLL", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

/// The kernel's first and last real-time signals as programs see them (signal(7)).
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// A signal by its number, its name with or without `SIG`, or `RTMIN+n` and `RTMAX-n`.
pub(crate) fn parse_signal(text: &str) -> Result<i32, String> {
    let error = || format!("unknown signal \"{text}\": use a name such as TERM, or a number from 1 to 64");
    if let Ok(number) = text.parse::<i32>() {
        return (1..=RTMAX).contains(&number).then_some(number).ok_or_else(error);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = SIGNALS.iter().find(|(known, _)| *known == name) {
        return Ok(*number);
    }
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(sign)?.parse::<i32>().ok().filter(|n| (0..=RTMAX - RTMIN).contains(n)),
    };
    let from_min = name.strip_prefix("RTMIN").and_then(|rest| offset(rest, '+')).map(|n| RTMIN + n);
    let from_max = || name.strip_prefix("RTMAX").and_then(|rest| offset(rest, '-')).map(|n| RTMAX - n);
    from_min.or_else(from_max).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        for (text, number) in
            [("9", 9), ("KILL", 9), ("SIGTERM", 15), ("sigint", 2), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63)]
        {
            assert_eq!(parse_signal(text), Ok(number), "{text}");
        }
        for bad in ["", "0", "-1", "65", "SIG", "FOO", "RTMIN+99", "RTMAX+1", "RTMIN-1", "SIGSIGTERM"] {
            assert!(parse_signal(bad).is_err(), "{bad}");
        }
    }
}
