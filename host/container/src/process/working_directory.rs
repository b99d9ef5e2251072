//! `process.cwd`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::identity::Identity;
use super::invalid::InvalidProcess;
use crate::root::Root;

pub(super) fn parse(path: &Path) -> Result<String, InvalidProcess> {
    const FIELD: &str = "process.cwd";
    match path.to_str() {
        Some("") => Err(InvalidProcess::missing(FIELD)),
        Some(text) if text.contains('\0') => {
            Err(InvalidProcess::value(FIELD, format!("{text:?}"), "without zero bytes"))
        }
        Some(text) if text.starts_with('/') => Ok(text.to_owned()),
        _ => Err(InvalidProcess::value(FIELD, format!("{path:?}"), "an absolute path")),
    }
}

/// The container's root, once it is this process's.
fn own_root() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Makes the directory for the program's user if it does not exist.
pub(super) fn make(root: Root<'_>, path: &str, identity: &Identity) -> io::Result<()> {
    if path == "/" {
        return Ok(());
    }
    match root.locate(path) {
        Err(Errno::NOENT) => {}
        // Entering it will tell.
        _ => return Ok(()),
    }
    let made = root.make_directories(path)?;
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    Ok(rustix::fs::chownat(&made, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?)
}

/// Enters the directory; false if this process may not, which may be different once it is the program's user.
///
/// The root is ours by now, but a directory opened through a magic link could still lead outside (CVE-2024-21626), so the
/// place is found by descriptor.
pub(super) fn enter(path: &str) -> io::Result<bool> {
    let entered = match path {
        "/" => rustix::process::chdir("/"),
        _ => Root::new(&own_root()?).locate(path).and_then(|directory| rustix::process::fchdir(&directory)),
    };
    match entered {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes sure that this process is inside of its root: getcwd(2) answers "(unreachable)…" for a directory outside.
pub(super) fn verify() -> io::Result<()> {
    let here = rustix::process::getcwd(Vec::new())?;
    if here.as_bytes().first() == Some(&b'/') { Ok(()) } else { Err(Errno::XDEV.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_only() {
        assert_eq!(parse(Path::new("/a/../b")).unwrap(), "/a/../b");
        assert_eq!(parse(Path::new("")).unwrap_err().to_string(), "process description: process.cwd must not be empty");
        assert!(parse(Path::new("a")).unwrap_err().to_string().contains("an absolute path"));
        assert!(parse(Path::new("/a\0")).is_err());
    }

    #[test]
    fn descriptors_are_no_directories() {
        // A leaked descriptor of the host's, as in CVE-2024-21626.
        let error = enter("/proc/self/fd/0/..").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert!(verify().is_ok());
    }
}
