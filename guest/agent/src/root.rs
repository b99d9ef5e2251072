//! File systems: those that the agent itself needs, and the program's root.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use agent_proto::{Start, VOLUMES_TAG, Volume};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, mount, mount_move, mount_remount, move_mount, open_tree,
};

use crate::devices;
use crate::error::Error;
use crate::network::{hosts, resolv_conf};

/// The image's device: the first virtio-blk disk.
const IMAGE_DEVICE: &str = "/dev/vda";

fn mount_new(source: &str, target: &str, kind: &str, flags: MountFlags, data: &CStr) -> Result<(), Error> {
    fs::create_dir_all(target).map_err(Error::io(format!("making {target}")))?;
    mount(source, target, kind, flags, data).map_err(Error::system(format!("mounting {kind} on {target}")))
}

/// What drivers and the search for the port need.
pub(crate) fn mount_early() -> Result<(), Error> {
    mount_new("proc", "/proc", "proc", MountFlags::empty(), c"")?;
    mount_new("sysfs", "/sys", "sysfs", MountFlags::empty(), c"")?;
    mount_new("devtmpfs", "/dev", "devtmpfs", MountFlags::empty(), c"mode=755")
}

/// Builds the program's root and enters it.
pub(crate) fn enter(start: &Start) -> Result<(), Error> {
    mount_new(IMAGE_DEVICE, "/image", "erofs", MountFlags::RDONLY, c"")?;
    mount_new("upper", "/upper", "tmpfs", MountFlags::empty(), c"mode=755")?;
    for directory in ["/upper/files", "/upper/work"] {
        fs::create_dir(directory).map_err(Error::io(format!("making {directory}")))?;
    }
    // A read-only root gets an upper layer, too: mount points and /etc/hosts must go somewhere before it is closed.
    let layers = c"lowerdir=/image,upperdir=/upper/files,workdir=/upper/work";
    mount_new("overlay", "/root", "overlay", MountFlags::empty(), layers)?;
    let volumes = open_volumes(&start.volumes)?;
    // The initial file system stays in memory until the VM ends: keep nothing in it.
    let _ = fs::remove_dir_all("/modules");
    switch_root("/root").map_err(Error::system("entering the root file system"))?;
    populate(start)?;
    for (volume, tree) in start.volumes.iter().zip(volumes) {
        attach(volume, &tree)?;
    }
    if start.read_only {
        mount_remount("/", MountFlags::RDONLY | MountFlags::BIND, c"")
            .map_err(Error::system("making the root file system read-only"))?;
    }
    Ok(())
}

/// pivot_root(2) does not work on the initial file system; this is what switch_root(8) does.
fn switch_root(new: &str) -> rustix::io::Result<()> {
    rustix::process::chdir(new)?;
    mount_move(".", "/")?;
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")
}

/// What goes into every root, whatever the image holds.
fn populate(start: &Start) -> Result<(), Error> {
    let limited = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_new("proc", "/proc", "proc", limited, c"")?;
    mount_new("sysfs", "/sys", "sysfs", limited | MountFlags::RDONLY, c"")?;
    fs::create_dir_all("/dev").map_err(Error::io("making /dev"))?;
    devices::populate(Path::new("/dev"))?;
    fs::create_dir_all("/etc").map_err(Error::io("making /etc"))?;
    let network = start.network.as_ref();
    let files = [
        ("/etc/hostname", format!("{}\n", start.hostname)),
        ("/etc/hosts", hosts(&start.hostname, &start.name, network)),
        ("/etc/resolv.conf", resolv_conf(network)),
    ];
    for (path, text) in files {
        // Often a link to somewhere that does not exist in the image.
        let _ = fs::remove_file(path);
        fs::write(path, text).map_err(Error::io(format!("writing {path}")))?;
    }
    let cwd = &start.program.cwd;
    fs::create_dir_all(cwd).map_err(Error::io(format!("making the working directory {cwd}")))
}

/// Mounts the shared file system and takes hold of each entry, so that it can be attached from inside the new root.
fn open_volumes(volumes: &[Volume]) -> Result<Vec<OwnedFd>, Error> {
    if volumes.is_empty() {
        return Ok(Vec::new());
    }
    mount_new(VOLUMES_TAG, "/volumes", "virtiofs", MountFlags::NOSUID | MountFlags::NODEV, c"")?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let open = |volume: &Volume| {
        open_tree(CWD, Path::new("/volumes").join(&volume.entry), flags)
            .map_err(Error::system(format!("opening the volume for {}", volume.target)))
    };
    volumes.iter().map(open).collect()
}

fn attach(volume: &Volume, tree: &OwnedFd) -> Result<(), Error> {
    let target = volume.target.as_str();
    make_mount_point(Path::new(target), volume.directory).map_err(Error::io(format!("making {target}")))?;
    let failed = || Error::system(format!("mounting the volume on {target}"));
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS;
    move_mount(tree, "", CWD, target, flags).map_err(failed())?;
    if volume.read_only {
        let flags = MountFlags::RDONLY | MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
        mount_remount(target, flags, c"").map_err(failed())?;
    }
    Ok(())
}

fn make_mount_point(path: &Path, directory: bool) -> io::Result<()> {
    if directory {
        return fs::create_dir_all(path);
    }
    if path.exists() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::create(path).map(drop)
}
