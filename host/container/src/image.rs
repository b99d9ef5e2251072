//! Mounting the image's EROFS file. This happens in the engine's process, because the loop device of the fall-back is not
//! among the devices that a container may open.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::error::Error;

mod loop_device;

/// Mounts the image, attached nowhere.
pub(crate) fn mount(path: &Path) -> Result<OwnedFd, Error> {
    let error = |source| Error::Image { path: path.to_owned(), source };
    match mount_source(path, false) {
        // A kernel before 6.12 wants a block device.
        Err(Errno::NOTBLK) => mount_by_loop(path).map_err(error),
        other => other.map_err(|e| error(e.into())),
    }
}

fn mount_by_loop(path: &Path) -> io::Result<OwnedFd> {
    let image = File::open(path)?;
    let (device, _keep) = loop_device::attach(&image)?;
    Ok(mount_source(&device, true)?)
}

fn mount_source(source: &Path, read_only_device: bool) -> rustix::io::Result<OwnedFd> {
    let context = mount::fsopen(c"erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_set_string(&context, c"source", source)?;
    if read_only_device {
        // Otherwise the block layer refuses: it does not know that EROFS never writes.
        mount::fsconfig_set_flag(&context, c"ro")?;
    }
    mount::fsconfig_create(&context)?;
    mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_and_a_loop_device_show_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let (tree, image) = (directory.path().join("tree"), directory.path().join("image"));
        std::fs::create_dir(&tree).unwrap();
        std::fs::write(tree.join("file"), "content").unwrap();
        let packed =
            Command::new("mkfs.erofs").args(["--quiet".as_ref(), image.as_os_str(), tree.as_os_str()]).status();
        assert!(packed.expect("install the package erofs-utils").success());
        for mount in [mount(&image).unwrap(), mount_by_loop(&image).unwrap()] {
            let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
            let file = rustix::fs::openat(&mount, "file", flags, rustix::fs::Mode::empty()).unwrap();
            assert_eq!(io::read_to_string(File::from(file)).unwrap(), "content");
        }
    }
}
