use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use container::Io;
use jail::{Cloned, Namespaces};
use plan::{LaunchPlan, Stdio};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use super::instance::{Instance, launch};
use crate::commands::terminal;
use crate::error::{Error, chain};
use crate::sys;

/// The socket's name in the state directory.
const START: &str = "start";

/// The process that stands for an instance, before it is on its own.
pub(super) struct Keeper {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    /// While this is open and nothing was written to it, the keeper ends with us.
    hold: OwnedFd,
}

impl Keeper {
    /// Leaves it on its own.
    pub(super) fn leave(self) -> Result<(), Error> {
        rustix::io::write(&self.hold, b"l").map(drop).map_err(Error::system("leave the instance's keeper"))
    }
}

/// Makes the keeper, a copy of this process.
pub(super) fn fork(state: &Path, plan: &LaunchPlan, io: Io) -> Result<Keeper, Error> {
    let listener = listen(state).map_err(Error::file("listen on", state.join(START)))?;
    let (held, hold) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(Error::system("make a pipe"))?;
    match jail::clone_process(Namespaces::NONE, None).map_err(container::Error::from)? {
        Cloned::Parent { pid, pidfd } => Ok(Keeper { pid, pidfd, hold }),
        Cloned::Child => {
            drop(hold);
            jail::exit_now(keep(plan, io, &held, &listener))
        }
    }
}

/// Lets a keeper start its instance, and returns when the program runs.
pub(super) fn start(state: &Path) -> Result<(), Error> {
    let connected = socket().and_then(|socket| {
        with_address(state, |address| rustix::net::connect(&socket, address))?;
        Ok(socket)
    });
    let socket = connected.map_err(Error::file("connect to", state.join(START)))?;
    rustix::net::send(&socket, b"go", SendFlags::NOSIGNAL).map_err(Error::system("start the instance"))?;
    let mut answer = vec![0; 8192];
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&socket, &mut *answer))
        .map_err(Error::system("hear from the instance's keeper"))?;
    match &answer[..length] {
        b"ok" => Ok(()),
        b"" => Err(Error::Instance("the instance's keeper ended before the program ran".to_owned())),
        text => Err(Error::Instance(String::from_utf8_lossy(text).into_owned())),
    }
}

/// The keeper's life; returns its exit status.
fn keep(plan: &LaunchPlan, io: Io, held: &OwnedFd, listener: &OwnedFd) -> i32 {
    let Ok(signals) = sys::all_signals() else { return 1 };
    // A process of its own, so that no terminal's signals reach it beside those that are passed on.
    let _ = rustix::process::setsid();
    if !matches!(rustix::io::read(held, &mut [0; 1]), Ok(1)) {
        return 1;
    }
    let Some(starter) = wait_for_start(listener, &signals) else { return 128 + libc::SIGTERM };
    let started = streams(io).and_then(|streams| {
        let size = streams.stdin.try_clone().ok();
        Ok((launch(plan, streams)?, size))
    });
    match started {
        Ok((instance, terminal)) => {
            let _ = rustix::net::send(&starter, b"ok", SendFlags::NOSIGNAL);
            drop(starter);
            attend(instance, terminal.as_ref(), &signals)
        }
        Err(error) => {
            let text = chain(&error);
            let _ = rustix::net::send(&starter, text.as_bytes(), SendFlags::NOSIGNAL);
            1
        }
    }
}

/// Waits for `start`; none if a signal that ends processes came first.
fn wait_for_start(listener: &OwnedFd, signals: &OwnedFd) -> Option<OwnedFd> {
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        while let Some(signal) = sys::next_signal(signals) {
            if matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGHUP) {
                return None;
            }
        }
        let mut now = [PollFd::new(listener, PollFlags::IN)];
        let zero = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        if matches!(poll(&mut now, Some(&zero)), Ok(1))
            && let Ok(starter) = rustix::net::accept_with(listener, SocketFlags::CLOEXEC)
            // Who goes away without a word does not start it.
            && matches!(rustix::io::read(&starter, &mut [0; 8]), Ok(2))
        {
            return Some(starter);
        }
    }
}

/// Stays until the program has ended, and ends as it did.
fn attend(mut instance: Instance, terminal: Option<&OwnedFd>, signals: &OwnedFd) -> i32 {
    loop {
        let mut fds = instance.poll_fds();
        fds.push(PollFd::new(signals, PollFlags::IN));
        let _ = poll(&mut fds, None);
        while let Some(signal) = sys::next_signal(signals) {
            match signal {
                libc::SIGCHLD | libc::SIGPIPE => {}
                libc::SIGWINCH => instance.resize(terminal),
                signal => instance.signal(signal),
            }
        }
        match instance.turn() {
            Ok(None) => {}
            Ok(Some(status)) => return status.code().into(),
            Err(error) => {
                eprintln!("coracle-oci: {}", chain(&error));
                return 255;
            }
        }
    }
}

/// The program's streams: the caller's own, opened anew since a virtual machine's are made non-blocking, or a new terminal.
fn streams(io: Io) -> Result<Stdio, Error> {
    let error = Error::system("open the program's standard streams");
    match io {
        Io::Given(stdio) => Ok(stdio),
        Io::Inherit => (|| Ok(Stdio { stdin: reopen(0)?, stdout: reopen(1)?, stderr: reopen(2)? }))().map_err(error),
        Io::ConsoleSocket(socket) => (|| {
            let manager = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
            grantpt(&manager)?;
            unlockpt(&manager)?;
            let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
            let peer = || ioctl_tiocgptpeer(&manager, flags);
            let stdio = Stdio { stdin: peer()?, stdout: peer()?, stderr: peer()? };
            terminal::send(&socket, manager.as_fd(), b"/dev/ptmx")?;
            Ok(stdio)
        })()
        .map_err(error),
    }
}

fn reopen(number: u32) -> Result<OwnedFd, Errno> {
    let (own, flags) = match number {
        0 => (rustix::stdio::stdin(), OFlags::RDONLY),
        1 => (rustix::stdio::stdout(), OFlags::WRONLY),
        _ => (rustix::stdio::stderr(), OFlags::WRONLY),
    };
    // The position in a file is everybody's who writes there. A socket cannot be opened again.
    let copied = match FileType::from_raw_mode(rustix::fs::fstat(own)?.st_mode) {
        FileType::RegularFile => None,
        _ => {
            let path = format!("/proc/self/fd/{number}");
            rustix::fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty()).ok()
        }
    };
    copied.map_or_else(|| rustix::io::fcntl_dupfd_cloexec(own, 3), Ok)
}

fn socket() -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

fn listen(state: &Path) -> Result<OwnedFd, Errno> {
    let socket = socket()?;
    with_address(state, |address| rustix::net::bind(&socket, address))?;
    rustix::net::listen(&socket, 1)?;
    Ok(socket)
}

/// The address by way of a descriptor: a path may be too long for it (unix(7): 108 bytes).
fn with_address(state: &Path, call: impl FnOnce(&SocketAddrUnix) -> Result<(), Errno>) -> Result<(), Errno> {
    let directory = rustix::fs::open(state, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    call(&SocketAddrUnix::new(format!("/proc/self/fd/{}/{START}", directory.as_raw_fd()))?)
}
