//! Session, terminal and standard streams.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use plan::{Process, Stdio};
use rustix::fs::{FileType, Gid, Mode, Uid};
use rustix::io::Errno;

/// Starts a session, makes the terminal its own, and gives the program its streams as 0, 1 and 2.
pub(super) fn place(io: &Stdio, process: &Process) -> io::Result<()> {
    rustix::process::setsid()?;
    if process.terminal {
        rustix::process::ioctl_tiocsctty(&io.stdin)?;
    }
    if process.user.uid != 0 {
        [&io.stdin, &io.stdout, &io.stderr].into_iter().try_for_each(|stream| give(stream.as_fd(), process))?;
    }
    // The engine's own 0, 1 and 2 may be among the three: copy those above first, so that none is overwritten too early.
    let copies = [above(io.stdin.as_fd())?, above(io.stdout.as_fd())?, above(io.stderr.as_fd())?];
    for (number, copy) in copies.iter().enumerate() {
        jail::place(copy.as_fd(), number as i32)?;
    }
    jail::reset_signals()?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    Ok(())
}

fn above(stream: BorrowedFd<'_>) -> io::Result<std::os::fd::OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(stream, 3)?)
}

/// Lets the program's user open `/dev/stdout` again: pipes and terminals belong to it. Files and /dev/null stay as they are.
fn give(stream: BorrowedFd<'_>, process: &Process) -> io::Result<()> {
    let stat = rustix::fs::fstat(stream)?;
    let ours = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => true,
        FileType::CharacterDevice => process.terminal,
        _ => false,
    };
    if !ours {
        return Ok(());
    }
    match rustix::fs::fchown(stream, Some(Uid::from_raw(process.user.uid)), Some(Gid::from_raw(stat.st_gid))) {
        Ok(()) | Err(Errno::PERM | Errno::ROFS | Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
