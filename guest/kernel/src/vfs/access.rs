//! Who may do what with a file (path_resolution(7), "Permissions").

use linux_abi::Errno;

use crate::task::{Credentials, try_current};
use crate::vfs::{Attributes, Inode, Kind};

/// Permission to execute a file or to search a directory.
pub(crate) const EXECUTE: u32 = 1;
/// Permission to write.
pub(crate) const WRITE: u32 = 2;
/// Permission to read.
pub(crate) const READ: u32 = 4;

const CAP_CHOWN: u32 = 0;
const CAP_DAC_OVERRIDE: u32 = 1;
const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_FOWNER: u32 = 3;
const CAP_FSETID: u32 = 4;
const S_ISVTX: u32 = 0o1000;

/// Whether the caller may pass all permission checks on directories and on reading and writing. Also the kernel itself,
/// before there is a process.
pub(super) fn overrides() -> bool {
    try_current().is_none_or(|thread| thread.process.creds.lock().capable(CAP_DAC_OVERRIDE))
}

/// The user and group that new files belong to.
pub(super) fn owner() -> (u32, u32) {
    try_current().map_or((0, 0), |thread| {
        let creds = thread.process.creds.lock();
        (creds.fsuid, creds.fsgid)
    })
}

fn allowed(attributes: &Attributes, creds: &Credentials, wanted: u32) -> bool {
    let shift = match () {
        () if creds.fsuid == attributes.uid => 6,
        () if creds.in_group(attributes.gid) => 3,
        () => 0,
    };
    if (attributes.mode >> shift) & wanted == wanted {
        return true;
    }
    let directory = attributes.kind == Kind::Directory;
    // Nobody may execute a file that nobody may execute.
    let executable = directory || attributes.mode & 0o111 != 0;
    if creds.capable(CAP_DAC_OVERRIDE) && (wanted & EXECUTE == 0 || executable) {
        return true;
    }
    let reads = wanted == READ || (directory && wanted & WRITE == 0);
    creds.capable(CAP_DAC_READ_SEARCH) && reads
}

/// `EACCES` unless the caller has the permissions `wanted` on the inode.
pub(super) fn check(inode: &dyn Inode, wanted: u32) -> Result<(), Errno> {
    let Some(thread) = try_current() else { return Ok(()) };
    let attributes = inode.attributes()?;
    let creds = thread.process.creds.lock();
    if allowed(&attributes, &creds, wanted) { Ok(()) } else { Err(Errno::EACCES) }
}

/// [`check`] with the real user and group (access(2)).
pub(super) fn check_real(inode: &dyn Inode, wanted: u32) -> Result<(), Errno> {
    let Some(thread) = try_current() else { return Ok(()) };
    let attributes = inode.attributes()?;
    let mut creds = thread.process.creds.lock().clone();
    creds.fsuid = creds.ruid;
    creds.fsgid = creds.rgid;
    creds.effective = if creds.ruid == 0 { creds.permitted } else { 0 };
    if allowed(&attributes, &creds, wanted) { Ok(()) } else { Err(Errno::EACCES) }
}

/// `EPERM` unless the caller owns the file (chmod(2), utimensat(2)).
pub(super) fn check_owner(attributes: &Attributes) -> Result<(), Errno> {
    let Some(thread) = try_current() else { return Ok(()) };
    let creds = thread.process.creds.lock();
    if creds.fsuid == attributes.uid || creds.capable(CAP_FOWNER) { Ok(()) } else { Err(Errno::EPERM) }
}

/// `EPERM` if the entry of a sticky directory belongs to somebody else.
pub(super) fn check_sticky(directory: &dyn Inode, entry: &dyn Inode) -> Result<(), Errno> {
    let Some(thread) = try_current() else { return Ok(()) };
    let directory = directory.attributes()?;
    if directory.mode & S_ISVTX == 0 {
        return Ok(());
    }
    let owner = entry.attributes()?.uid;
    let creds = thread.process.creds.lock();
    match creds.fsuid == owner || creds.fsuid == directory.uid || creds.capable(CAP_FOWNER) {
        true => Ok(()),
        false => Err(Errno::EPERM),
    }
}

/// `EPERM` unless the caller may give the file these owners (chown(2)).
pub(super) fn check_chown(attributes: &Attributes, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
    let Some(thread) = try_current() else { return Ok(()) };
    let creds = thread.process.creds.lock();
    let same_user = uid.is_none_or(|uid| uid == attributes.uid);
    let own_group = gid.is_none_or(|gid| gid == attributes.gid || creds.in_group(gid));
    match creds.capable(CAP_CHOWN) || (creds.fsuid == attributes.uid && same_user && own_group) {
        true => Ok(()),
        false => Err(Errno::EPERM),
    }
}

/// The mode that chmod(2) really sets: without the set-group-id bit for a group that is not the caller's.
pub(super) fn chmod_mode(attributes: &Attributes, mode: u32) -> u32 {
    let Some(thread) = try_current() else { return mode };
    let creds = thread.process.creds.lock();
    match attributes.kind == Kind::Directory || creds.in_group(attributes.gid) || creds.capable(CAP_FSETID) {
        true => mode,
        false => mode & !0o2000,
    }
}
