//! A terminal of the container's own: made by the devpts file system inside, so that its name means something there.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Box as Size;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::invalid::InvalidProcess;

/// linux/magic.h.
const DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;
/// Of the multiplexer, by which terminals are made (pty(7)).
const PTMX: (u32, u32) = (5, 2);

/// Both sides of a new terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// For whoever shows it to the user.
    manager: OwnedFd,
    /// The program's side. Its mount is the container's devpts, so it can be bound to /dev/console.
    pub(crate) peer: OwnedFd,
}

impl Terminal {
    /// Makes a terminal by the devpts that is mounted at /dev/pts below `root`.
    ///
    /// The image's author may have put something else there: links are not followed, and what was opened must be the
    /// multiplexer of a devpts (CVE-2025-52565).
    pub(crate) fn open(root: BorrowedFd<'_>, size: Option<Winsize>) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let place = rustix::fs::openat2(root, "dev/pts/ptmx", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)?;
        verify_multiplexer(&place)?;
        let manager = rustix::fs::openat2(root, "dev/pts/ptmx", flags, Mode::empty(), resolve)?;
        verify_multiplexer(&manager)?;
        rustix::pty::unlockpt(&manager)?;
        let peer =
            rustix::pty::ioctl_tiocgptpeer(&manager, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        if let Some(size) = size {
            rustix::termios::tcsetwinsize(&manager, size)?;
        }
        Ok(Self { manager, peer })
    }

    /// Sends the manager's side, with the terminal's name as the message, as runc does; keeps the other.
    pub(crate) fn hand_over(self, socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let name = rustix::pty::ptsname(&self.manager, Vec::new())?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [self.manager.as_fd()];
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(Errno::NOBUFS.into());
        }
        rustix::io::retry_on_intr(|| {
            rustix::net::sendmsg(socket, &[IoSlice::new(name.to_bytes())], &mut control, SendFlags::NOSIGNAL)
        })?;
        Ok(self.peer)
    }
}

/// A device with these numbers on a real devpts; the device alone could lead to another file system's terminals.
fn verify_multiplexer(file: impl AsFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(&file)?;
    let device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let character = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    let devpts = rustix::fs::fstatfs(&file)?.f_type as u64 == DEVPTS_SUPER_MAGIC;
    if character && device == PTMX && devpts { Ok(()) } else { Err(Errno::NXIO.into()) }
}

/// `process.consoleSize` as TIOCSWINSZ takes it; an empty rectangle means "not said".
pub(super) fn window_size(size: Option<Size>) -> Result<Option<Winsize>, InvalidProcess> {
    let Some(size) = size.filter(|size| size.height() != 0 && size.width() != 0) else { return Ok(None) };
    let side = |field, length: u64| {
        u16::try_from(length).map_err(|_| InvalidProcess::value(field, length, "at most 65535 characters"))
    };
    Ok(Some(Winsize {
        ws_row: side("process.consoleSize.height", size.height())?,
        ws_col: side("process.consoleSize.width", size.width())?,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let size = |json: &str| window_size(Some(serde_json::from_str(json).unwrap()));
        let small = size(r#"{"height": 24, "width": 80}"#).unwrap().unwrap();
        assert_eq!((small.ws_row, small.ws_col), (24, 80));
        assert_eq!(size(r#"{"height": 0, "width": 80}"#).unwrap().map(|size| size.ws_row), None);
        assert_eq!(size(r#"{"height": 1, "width": 65536}"#).unwrap_err().field, "process.consoleSize.width");
    }

    #[test]
    fn only_a_devpts_makes_terminals() {
        let root = tempfile::tempdir().unwrap();
        let open = std::fs::File::open(root.path()).unwrap();
        std::fs::create_dir_all(root.path().join("dev/pts")).unwrap();
        std::fs::write(root.path().join("dev/pts/ptmx"), "").unwrap();
        assert_eq!(Terminal::open(open.as_fd(), None).unwrap_err().raw_os_error(), Some(libc::ENXIO));
        std::fs::remove_file(root.path().join("dev/pts/ptmx")).unwrap();
        std::os::unix::fs::symlink("/dev/pts/ptmx", root.path().join("dev/pts/ptmx")).unwrap();
        assert_eq!(Terminal::open(open.as_fd(), None).unwrap_err().raw_os_error(), Some(libc::ELOOP));
    }
}
