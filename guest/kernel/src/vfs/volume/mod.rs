//! Volumes: directories and files of the host, reached through host calls relative to open handles.
//!
//! Every name is opened without following symbolic links: the kernel's own path walk follows them, so that a link cannot lead
//! out of the instance's view of its files. On the host's side there is nothing but the volumes anyway.

mod file;
mod host;
mod inode;

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use boot_info::BootInfo;
use linux_abi::Errno;

use crate::machine::machine;
use crate::vfs::Inode;
use crate::vfs::mount::Mount;
use inode::HostInode;

/// Device numbers of volumes begin here.
const FIRST_DEVICE: u64 = 0x100;

/// One volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Volume {
    device: u64,
    read_only: bool,
}

/// Opens the volumes and says where they are mounted. One that cannot be mounted ends the start.
pub(super) fn mounts(info: &BootInfo<'_>) -> Result<Vec<Mount>, Errno> {
    let mut words = info.volumes.iter();
    let mut mounts = Vec::new();
    while let (Some(path), Some(access), Some(kind)) = (words.next(), words.next(), words.next()) {
        let volume = Volume { device: FIRST_DEVICE + mounts.len() as u64, read_only: access == b"ro" };
        match mount(&volume, mounts.len(), path, kind == b"dir") {
            Ok(mount) => mounts.push(mount),
            Err(e) => {
                let path = alloc::string::String::from_utf8_lossy(path);
                machine().log(&format!("coracle: the volume at {path} cannot be mounted: {e}\n"));
                return Err(e);
            }
        }
    }
    Ok(mounts)
}

fn mount(volume: &Volume, index: usize, path: &[u8], directory: bool) -> Result<Mount, Errno> {
    let covered = super::boot::mount_point(path, directory)?;
    let root: Arc<dyn Inode> = HostInode::top(*volume, &format!("/volumes/{index}"), directory)?;
    let options = if volume.read_only { "ro,relatime" } else { "rw,relatime" };
    Ok(Mount { covered: Some(covered), root, path: path.to_vec(), label: ["volume", "volume", options] })
}
