//! The file of the running program, which a container must not be able to write to (CVE-2019-5736).
//!
//! Between joining a container and executing its program, a process is seen from inside, and its `/proc/PID/exe` leads to our
//! file on the host. [A check](crate::process) refuses programs that are links to it, but programs inside can make a link of a
//! file between the check and execve(2). Then our program itself runs inside, and its file can be opened there, and written to
//! once nothing executes it any more.
//!
//! So a program that starts containers executes itself again, from a read-only mount of its file that is attached nowhere:
//! who opens `/proc/PID/exe` gets that mount, and nobody can make it writable, because it is in no mount namespace. Unlike
//! a copy in memory it costs no memory, and no control group is charged for it.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use jail::{ExecArgs, MountAttr, OpenTreeFlags};
use rustix::fs::{Access, AtFlags, CWD, MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags};
use rustix::io::Errno;

const OWN: &str = "/proc/self/exe";

/// Returns if this program's file cannot be written to through `/proc/PID/exe`; otherwise executes the program again so that
/// it cannot. To be called first of all: the program starts anew, with these arguments, which are its own, and its environment.
///
/// `remember` is added to the environment: the name of a file on a mount that is attached nowhere says nothing, so who wants
/// to know where the program was has to write it down before.
///
/// # Errors
/// The error of the system call that failed. No container may be started then.
pub fn protect_own_program(arguments: &[OsString], remember: &[(&str, &OsStr)]) -> io::Result<()> {
    if rustix::fs::statvfs(OWN)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    let program = match read_only_mount() {
        Err(_) if is_sealed_copy()? => return Ok(()),
        // Without CAP_SYS_ADMIN.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::PERM) => {
            if rustix::fs::accessat(CWD, OWN, Access::WRITE_OK, AtFlags::EACCESS).is_err() {
                // Whoever the container's processes are on the host, they have at most our rights.
                return Ok(());
            }
            copy_in_memory()?
        }
        other => other?,
    };
    let bytes = |text: OsString| CString::new(text.into_vec()).map_err(io::Error::from);
    let args = arguments.iter().cloned().map(bytes).collect::<io::Result<_>>()?;
    let variable = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        bytes(name)
    };
    let inherited = std::env::vars_os().filter(|(name, _)| remember.iter().all(|(other, _)| name != other));
    let added = remember.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let env = inherited.chain(added).map(variable).collect::<io::Result<_>>()?;
    Err(ExecArgs::new(args, env).exec_fd(program.as_fd()))
}

/// Whether the program is a copy of [`copy_in_memory`] already.
fn is_sealed_copy() -> io::Result<bool> {
    // A copy in memory has no name.
    if rustix::fs::stat(OWN)?.st_nlink > 0 {
        return Ok(false);
    }
    let own = rustix::fs::open(OWN, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::fs::fcntl_get_seals(&own).is_ok_and(|seals| seals.contains(SealFlags::WRITE)))
}

fn read_only_mount() -> io::Result<OwnedFd> {
    MountAttr::RDONLY.clone_tree(CWD, c"/proc/self/exe", OpenTreeFlags::empty())
}

fn copy_in_memory() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut copy = File::from(rustix::fs::memfd_create("coracle", flags)?);
    io::copy(&mut File::open(OWN)?, &mut copy)?;
    rustix::fs::fcntl_add_seals(&copy, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(copy.into())
}
