//! What the host shares with the container: the network files of /etc and the user's volumes.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use jail::{MountAttr, OpenTreeFlags, clone_tree};
use plan::Volume;
use rustix::fs::{CWD, FileType};
use rustix::io::Errno;

use super::mounts;
use crate::error::Stage;
use crate::message::{AtStage, Failure};
use crate::plan_api::create::EtcFiles;
use crate::root::{Kind, Root};

impl EtcFiles {
    /// Host path and place inside.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        [(&self.hosts, "/etc/hosts"), (&self.hostname, "/etc/hostname"), (&self.resolv_conf, "/etc/resolv.conf")]
            .into_iter()
            .filter_map(|(host, guest)| host.as_deref().map(|host| (host, guest)))
    }
}

pub(super) fn etc_files(root: &OwnedFd, etc: &EtcFiles) -> Result<(), Failure> {
    for (host, guest) in etc.bindings() {
        bind(root, host, guest, MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOEXEC)
            .about(Stage::EtcFiles, guest)?;
    }
    Ok(())
}

pub(super) fn volumes(root: &OwnedFd, volumes: &[Volume]) -> Result<(), Failure> {
    for volume in volumes {
        let mut attributes = MountAttr::NOSUID | MountAttr::NODEV;
        attributes.set(MountAttr::RDONLY, volume.read_only);
        let detail = || format!("{}:{}", volume.host.display(), volume.guest.display());
        let guest = volume.guest.to_str().ok_or(Errno::ILSEQ).about(Stage::Volumes, &detail())?;
        bind(root, &volume.host, guest, attributes).about(Stage::Volumes, &detail())?;
    }
    Ok(())
}

/// Binds a host directory or file, with what is mounted below it, to a place that is made if it does not exist.
fn bind(root: &OwnedFd, host: &Path, guest: &str, attributes: MountAttr) -> io::Result<()> {
    let host = CString::new(host.as_os_str().as_bytes())?;
    let copy = clone_tree(CWD, &host, OpenTreeFlags::RECURSIVE)?;
    let source = rustix::fs::fstat(&copy)?;
    let kind = match FileType::from_raw_mode(source.st_mode) {
        FileType::Directory => Kind::Directory,
        _ => Kind::File,
    };
    attributes.add(copy.as_fd(), true)?;
    let place = Root::new(root).place(guest, kind)?;
    // Something over /proc could fool whoever reads it inside with privileges (CVE-2019-16884).
    if rustix::fs::fstatfs(&place)?.f_type as u64 == rustix::fs::PROC_SUPER_MAGIC as u64 {
        return Err(Errno::PERM.into());
    }
    mounts::attach(&copy, place)
}
