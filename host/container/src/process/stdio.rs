//! Session, terminal and standard streams.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;
use plan::Stdio;
use rustix::fs::{FileType, Gid, Mode, Uid};
use rustix::io::Errno;

/// Starts a session, makes the terminal its own, and gives the program its streams as 0, 1 and 2.
pub(super) fn place(streams: Option<&Stdio>, process: &Process) -> io::Result<()> {
    rustix::process::setsid()?;
    let terminal = process.terminal().unwrap_or(false);
    if terminal {
        match streams {
            Some(streams) => rustix::process::ioctl_tiocsctty(&streams.stdin)?,
            None => rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?,
        }
    }
    if let Some(streams) = streams {
        if process.user().uid() != 0 {
            let all = [&streams.stdin, &streams.stdout, &streams.stderr];
            all.into_iter().try_for_each(|stream| give(stream.as_fd(), process, terminal))?;
        }
        put(streams)?;
    }
    jail::reset_signals()?;
    rustix::process::umask(Mode::from_raw_mode(process.user().umask().unwrap_or(0o022)));
    Ok(())
}

/// The caller's own 0, 1 and 2 may be among the three: copy those above first, so that none is overwritten too early.
fn put(streams: &Stdio) -> io::Result<()> {
    let above = |stream: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(stream, 3);
    let copies = [above(&streams.stdin)?, above(&streams.stdout)?, above(&streams.stderr)?];
    for (number, copy) in copies.iter().enumerate() {
        jail::place(copy.as_fd(), number as i32)?;
    }
    Ok(())
}

/// Lets the program's user open `/dev/stdout` again: pipes and terminals belong to it. Files and /dev/null stay as they are.
fn give(stream: BorrowedFd<'_>, process: &Process, terminal: bool) -> io::Result<()> {
    let stat = rustix::fs::fstat(stream)?;
    let ours = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo => true,
        FileType::CharacterDevice => terminal,
        _ => false,
    };
    if !ours {
        return Ok(());
    }
    match rustix::fs::fchown(stream, Some(Uid::from_raw(process.user().uid())), Some(Gid::from_raw(stat.st_gid))) {
        Ok(()) | Err(Errno::PERM | Errno::ROFS | Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
