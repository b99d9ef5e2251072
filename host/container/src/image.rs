//! Mounting the image's EROFS file. This happens in the engine's process, because the loop device of the fall-back is not
//! among the devices that a container may open.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::error::Error;

mod loop_device;

/// Mounts the image, attached nowhere.
pub(crate) fn mount(path: &Path) -> Result<OwnedFd, Error> {
    let error = |source| Error::Image { path: path.to_owned(), source };
    match mount_source(path) {
        // A kernel before 6.12 wants a block device.
        Err(Errno::NOTBLK) => {
            let image = File::open(path).map_err(error)?;
            let (device, _keep) = loop_device::attach(&image).map_err(error)?;
            mount_source(&device).map_err(|e| error(e.into()))
        }
        other => other.map_err(|e| error(e.into())),
    }
}

fn mount_source(source: &Path) -> rustix::io::Result<OwnedFd> {
    let context = mount::fsopen(c"erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_set_string(&context, c"source", source)?;
    mount::fsconfig_create(&context)?;
    mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}
