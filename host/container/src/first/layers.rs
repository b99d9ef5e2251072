//! An image below, and above it a writable layer that only this container has.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};

use crate::mounts;
use crate::root::Root;
use crate::spec::Setup;

/// Where a mount by path is attached for a moment, on kernels that need one.
const SCRATCH: &str = "/tmp";

/// How a layer is stacked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// It is thrown away with the container: it need never be synchronised to the disk.
    pub(crate) volatile: bool,
    /// In a user namespace overlayfs may not write attributes `trusted.*`: it uses `user.*` instead.
    pub(crate) user_attributes: bool,
}

/// The root, attached nowhere. Without a layer on a disk the image itself has to do; if a mount point is missing in it, a
/// layer in memory gets it.
pub(super) fn stack(image: &OwnedFd, layer: Option<&Path>, manner: Manner, setup: &Setup<'_>) -> io::Result<OwnedFd> {
    let layers = match layer {
        Some(layer) => disk_layers(layer)?,
        None if has_every_place(image, setup) => return image.try_clone(),
        None => memory_layers()?,
    };
    let manner = Manner { volatile: manner.volatile || layer.is_none(), ..manner };
    overlay(image, &layers, manner, layer.unwrap_or(Path::new(SCRATCH)))
}

/// The root for a container in a user namespace of its own, made by its creator, whose mounts it must not touch. The layer's
/// directories belong to the container's root.
pub(super) fn stack_detached(image: &OwnedFd, layer: &Path, manner: Manner) -> io::Result<OwnedFd> {
    Ok(overlay_by_descriptor(image, &disk_layers(layer)?, manner)?)
}

/// The root of a container that has ended, with the layer that it left.
pub(crate) fn reopen(image: &OwnedFd, layer: &Path) -> io::Result<OwnedFd> {
    Ok(overlay_by_descriptor(image, &disk_layers(layer)?, Manner { volatile: false, user_attributes: false })?)
}

/// The directories of the writable layer, which must be on one file system.
struct Layers {
    upper: OwnedFd,
    work: OwnedFd,
    /// The directory that holds both; a mount that is attached nowhere lasts only as long as its descriptor.
    directory: OwnedFd,
    /// Whether `directory` is such a mount.
    detached: bool,
}

/// Opened in the mount namespace that stacks them: overlayfs takes no others.
fn disk_layers(state_dir: &Path) -> io::Result<Layers> {
    let state = rustix::fs::open(state_dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let layers = layers_in(state, false)?;
    forget_volatile(&layers.work)?;
    Ok(layers)
}

/// A mount with the option "volatile" leaves a mark; overlayfs refuses the layer until somebody says that it is fine.
fn forget_volatile(work: &OwnedFd) -> io::Result<()> {
    for (path, flags) in
        [(c"work/incompat/volatile/dirty", AtFlags::empty()), (c"work/incompat/volatile", AtFlags::REMOVEDIR)]
    {
        match rustix::fs::unlinkat(work, path, flags) {
            Ok(()) => {}
            Err(Errno::NOENT) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A layer for mount points only; the root becomes read-only before the program starts.
fn memory_layers() -> io::Result<Layers> {
    let file_system = mounts::new(c"tmpfs", &[(c"size", c"1m"), (c"mode", c"0755")], MountAttrFlags::empty())?;
    layers_in(file_system, true)
}

fn layers_in(directory: OwnedFd, detached: bool) -> io::Result<Layers> {
    let make = |name| {
        match rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&directory, name, flags, Mode::empty())
    };
    Ok(Layers { upper: make("upper")?, work: make("work")?, directory, detached })
}

/// Whether nothing has to be made in the image for what will be mounted into it.
fn has_every_place(image: &OwnedFd, setup: &Setup<'_>) -> bool {
    let root = Root::new(image);
    let inside = |path: &str| ["/dev/", "/proc/", "/sys/"].iter().any(|top| path.starts_with(top));
    let mut places = setup.mounts.iter().map(|mount| mount.destination.as_str()).filter(|path| !inside(path));
    places.all(|path| root.locate(path).is_ok())
}

/// Stacks the writable layer on the image.
///
/// A layer that is thrown away with the instance is `volatile`: it is never synchronised to the disk, neither for fsync(2)
/// nor when the container ends, which would write back the whole file system of the host.
fn overlay(image: &OwnedFd, layers: &Layers, manner: Manner, scratch: &Path) -> io::Result<OwnedFd> {
    match overlay_by_descriptor(image, layers, manner) {
        // Before 6.13 overlayfs takes no descriptors, before 6.15 no detached lower layer.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => overlay_by_path(image, layers, manner, scratch),
        other => Ok(other?),
    }
}

fn overlay_by_descriptor(image: &OwnedFd, layers: &Layers, manner: Manner) -> rustix::io::Result<OwnedFd> {
    let context = mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_set_fd(&context, c"lowerdir+", image)?;
    mount::fsconfig_set_fd(&context, c"upperdir", &layers.upper)?;
    mount::fsconfig_set_fd(&context, c"workdir", &layers.work)?;
    finish(context, manner)
}

fn overlay_by_path(image: &OwnedFd, layers: &Layers, manner: Manner, scratch: &Path) -> io::Result<OwnedFd> {
    let attach = |mount| mount::move_mount(mount, c"", CWD, scratch, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
    if layers.detached {
        attach(&layers.directory)?;
    }
    attach(image)?;
    // The working directory avoids a path in the option, where colons and commas have a meaning.
    rustix::process::fchdir(image)?;
    let context = mount::fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let path = |fd: &OwnedFd| format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(fd));
    mount::fsconfig_set_string(&context, c"lowerdir", c".")?;
    mount::fsconfig_set_string(&context, c"upperdir", path(&layers.upper))?;
    mount::fsconfig_set_string(&context, c"workdir", path(&layers.work))?;
    Ok(finish(context, manner)?)
}

fn finish(context: OwnedFd, manner: Manner) -> rustix::io::Result<OwnedFd> {
    if manner.volatile {
        mount::fsconfig_set_flag(&context, c"volatile")?;
    }
    if manner.user_attributes {
        mount::fsconfig_set_flag(&context, c"userxattr")?;
    }
    mount::fsconfig_create(&context)?;
    mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use jail::MountAttr;
    use rustix::thread::UnshareFlags;

    use super::*;

    /// Both ways of stacking, each in a thread with mounts of its own.
    #[test]
    fn old_and_new_kernels_get_the_same_root() {
        for (by_path, in_memory) in [(false, false), (false, true), (true, false), (true, true)] {
            std::thread::spawn(move || stack_and_look(by_path, in_memory)).join().unwrap();
        }
    }

    fn stack_and_look(by_path: bool, in_memory: bool) {
        jail::unshare(UnshareFlags::FS | UnshareFlags::NEWNS).unwrap();
        MountAttr::make_all_private().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let scratch = directory.path().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let lower = mounts::new(c"tmpfs", &[], MountAttrFlags::empty()).unwrap();
        rustix::fs::mkdirat(&lower, "from-the-image", Mode::from_raw_mode(0o755)).unwrap();
        let manner = Manner { volatile: true, user_attributes: false };
        let layers = if in_memory { memory_layers() } else { disk_layers(directory.path()) }.unwrap();
        let root = if by_path {
            overlay_by_path(&lower, &layers, manner, &scratch).unwrap()
        } else {
            overlay_by_descriptor(&lower, &layers, manner).unwrap()
        };
        rustix::fs::mkdirat(&root, "from-inside", Mode::from_raw_mode(0o755)).unwrap();
        let listing = rustix::fs::openat(&root, ".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let names = rustix::fs::Dir::read_from(listing).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, [".", "..", "from-inside", "from-the-image"], "by path: {by_path}, in memory: {in_memory}");
        assert_eq!(File::open(directory.path().join("upper/from-inside")).is_ok(), !in_memory);
        rustix::process::chdir("/").unwrap();
    }
}
