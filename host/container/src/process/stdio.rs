//! Session, controlling terminal and standard streams.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use plan::Stdio;
use rustix::fs::{FileType, Gid, Uid};
use rustix::io::Errno;

/// Of /dev/null.
const NULL: (u32, u32) = (1, 3);

/// Starts a session, makes the terminal its own, and puts the streams in place; without `streams` they stay as they are.
pub(super) fn place(streams: Option<&Stdio>, terminal: bool) -> io::Result<()> {
    rustix::process::setsid()?;
    if let Some(streams) = streams {
        put(streams)?;
    }
    if terminal {
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
    }
    jail::reset_signals()
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

/// Lets the program's user open `/dev/stdout` again: the streams become its own, /dev/null excepted.
pub(super) fn give_to(uid: u32) -> io::Result<()> {
    [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()]
        .into_iter()
        .try_for_each(|stream| give(stream, uid))
}

/// The group stays: a terminal's is `tty`, for programs that write to it.
fn give(stream: BorrowedFd<'_>, uid: u32) -> io::Result<()> {
    let stat = match rustix::fs::fstat(stream) {
        // The caller gave none.
        Err(Errno::BADF) => return Ok(()),
        other => other?,
    };
    let null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == NULL;
    if stat.st_uid == uid || null {
        return Ok(());
    }
    match rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), Some(Gid::from_raw(stat.st_gid))) {
        // Owners that the user namespace does not map, a read-only file system: the stream still works as it is.
        Ok(()) | Err(Errno::PERM | Errno::ROFS | Errno::INVAL | Errno::OVERFLOW) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
