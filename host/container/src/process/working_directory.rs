use std::io;

use oci_spec::runtime::Process;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::root::Root;

/// Enters the working directory, made for the program's user if it does not exist.
///
/// The root is ours by now, but a directory opened through a magic link could still lead outside (CVE-2024-21626), so the
/// place is found by descriptor and the result is checked.
pub(super) fn enter(process: &Process) -> io::Result<()> {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let root = Root::new(&root);
    let cwd = process.cwd().to_str().ok_or(Errno::ILSEQ)?;
    let directory = match root.locate(cwd) {
        Err(Errno::NOENT) => {
            let made = root.make_directories(cwd)?;
            let (uid, gid) = (Uid::from_raw(process.user().uid()), Gid::from_raw(process.user().gid()));
            rustix::fs::chownat(&made, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
            made
        }
        other => other?,
    };
    rustix::process::fchdir(&directory)?;
    let here = rustix::process::getcwd(Vec::new())?;
    // getcwd(2) answers "(unreachable)…" for a directory outside of the root.
    if here.as_bytes().first() == Some(&b'/') { Ok(()) } else { Err(Errno::XDEV.into()) }
}
