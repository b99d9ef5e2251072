//! The mounts that a specification lists, in their order.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cgroup::Group;
use jail::{MountAttr, OpenTreeFlags, clone_tree};
use oci_spec::runtime::LinuxNamespaceType;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{self, FsPickFlags, MountAttrFlags};

use super::attach::{Content, Tree};
use super::bind::{self, Bound};
use super::{cgroups, copy_up, file_system};
use crate::error::Stage;
use crate::message::{AtStage, Failure};
use crate::root::Kind as Place;
use crate::spec::{Kind, Mount, Namespaces, Setup};

/// Makes all mounts. Those in memory that are to be read-only are made so by [`finish`](Late::finish), once everything is in
/// them.
pub(crate) fn perform_all(
    tree: &mut Tree,
    setup: &Setup<'_>,
    sources: Vec<Option<Bound>>,
    bundle: &Path,
    cgroup: &Group,
) -> Result<Late, Failure> {
    let mut late = Late::default();
    for (mount, source) in setup.mounts.iter().zip(sources) {
        perform(tree, mount, source, &setup.namespaces, bundle, cgroup, &mut late)
            .about(Stage::Mount, &mount.destination)?;
    }
    Ok(late)
}

/// What has to be done after the devices were made.
#[derive(Debug, Default)]
pub(crate) struct Late {
    read_only: Vec<OwnedFd>,
}

impl Late {
    pub(crate) fn finish(self) -> io::Result<()> {
        self.read_only.iter().try_for_each(|mount| MountAttr::RDONLY.add(mount.as_fd(), false))
    }
}

fn perform(
    tree: &mut Tree,
    mount: &Mount<'_>,
    source: Option<Bound>,
    namespaces: &Namespaces<'_>,
    bundle: &Path,
    cgroup: &Group,
    late: &mut Late,
) -> io::Result<()> {
    if mount.destination_no_follow {
        refuse_link(tree, &mount.destination)?;
    }
    match &mount.kind {
        Kind::Bind { .. } => {
            let bound = match source {
                Some(bound) => bound,
                None => bind::open(mount, namespaces, bundle)?,
            };
            bind_to(tree, mount, bound)
        }
        Kind::New { file_system, options } => new_file_system(tree, mount, file_system, options, namespaces, late),
        Kind::Cgroup => cgroups::mount(tree, mount, cgroup),
        Kind::Remount { options } => remount(tree, mount, options.as_deref()),
    }
}

fn refuse_link(tree: &Tree, destination: &str) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let path = destination.trim_start_matches('/');
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = match rustix::fs::openat2(tree.root_fd(), path, flags, rustix::fs::Mode::empty(), resolve) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    match rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(found)?.st_mode) {
        rustix::fs::FileType::Symlink => Err(Errno::LOOP.into()),
        _ => Ok(()),
    }
}

fn bind_to(tree: &mut Tree, mount: &Mount<'_>, bound: Bound) -> io::Result<()> {
    if let Some(link) = bound.link {
        let (parent, name) = mount.destination.rsplit_once('/').unwrap_or(("", &mount.destination));
        let parent = tree.root().make_directories(parent)?;
        return match rustix::fs::symlinkat(&link, &parent, name) {
            Err(Errno::EXIST) if rustix::fs::readlinkat(&parent, name, Vec::new()).is_ok_and(|other| other == link) => {
                Ok(())
            }
            other => Ok(other?),
        };
    }
    propagate(mount, &bound.tree)?;
    // /proc of the host, for containers in the host's PID namespace: it has to be procfs.
    let content = match mount.destination == "/proc" {
        true if file_system::is(&bound.tree, rustix::fs::PROC_SUPER_MAGIC)? => Content::Proc,
        true => return Err(Errno::PERM.into()),
        false => Content::Foreign,
    };
    tree.attach(bound.tree, &mount.destination, content, bound.place)
}

fn propagate(mount: &Mount<'_>, tree: &OwnedFd) -> io::Result<()> {
    mount.propagation.iter().try_for_each(|(kind, recursive)| MountAttr::propagate(tree.as_fd(), *recursive, *kind))
}

fn new_file_system(
    tree: &mut Tree,
    mount: &Mount<'_>,
    kind: &std::ffi::CStr,
    options: &[(std::ffi::CString, Option<std::ffi::CString>)],
    namespaces: &Namespaces<'_>,
    late: &mut Late,
) -> io::Result<()> {
    let content = match kind.to_bytes() {
        b"proc" => Content::Proc,
        b"sysfs" => Content::Kernel,
        b"tmpfs" if !mount.copy_up => Content::Ours,
        _ => Content::Foreign,
    };
    let in_memory = kind == c"tmpfs";
    let mut attributes = mount.attributes.set | mount.recursive.set;
    let read_only_later = in_memory && attributes.contains(MountAttr::RDONLY);
    if read_only_later {
        attributes.remove(MountAttr::RDONLY);
    }
    let flags = MountAttrFlags::from_bits_retain(attributes.bits() as u32);
    if mount.propagation.is_empty() && !mount.copy_up && !read_only_later {
        // After an error the long way tells what is wrong, or finds another one.
        let make = |name: &std::ffi::CStr| file_system::mount_here(kind, options, flags, name);
        if tree.mount_in_ours(&mount.destination, make).unwrap_or(false) {
            return Ok(());
        }
    }
    let (made, of_host) = match file_system::from_options(kind, options, flags) {
        Err(Errno::PERM) => (of_the_host(kind, namespaces, attributes)?, true),
        other => (other?, false),
    };
    // A bind of the host's could be anything by now.
    if content == Content::Proc && of_host && !file_system::is(&made, rustix::fs::PROC_SUPER_MAGIC)? {
        return Err(Errno::NXIO.into());
    }
    propagate(mount, &made)?;
    if mount.copy_up {
        let place = tree.root().place(&mount.destination, Place::Directory)?;
        copy_up::copy(&place, &made)?;
    }
    if mount.copy_up {
        keep_mode(&made, options)?;
    }
    if read_only_later {
        late.read_only.push(made.try_clone()?);
    }
    tree.attach(made, &mount.destination, content, Place::Directory)
}

/// A mode that was asked for outlives the one that was copied.
fn keep_mode(made: &OwnedFd, options: &[(std::ffi::CString, Option<std::ffi::CString>)]) -> io::Result<()> {
    let asked = options.iter().rev().find(|(name, _)| name.as_c_str() == c"mode").and_then(|(_, value)| value.as_ref());
    match asked.and_then(|value| u32::from_str_radix(value.to_str().ok()?, 8).ok()) {
        Some(mode) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = rustix::fs::openat(made, c".", flags, Mode::empty())?;
            Ok(rustix::fs::fchmod(root, Mode::from_raw_mode(mode))?)
        }
        None => Ok(()),
    }
}

/// The kernel makes these only for who owns the namespace that they show; in a user namespace that shares the host's, the
/// host's are all that there is to show.
fn of_the_host(kind: &std::ffi::CStr, namespaces: &Namespaces<'_>, attributes: MountAttr) -> io::Result<OwnedFd> {
    let path = match kind.to_bytes() {
        b"sysfs" if !namespaces.is_new(LinuxNamespaceType::Network) => c"/sys",
        b"proc" if !namespaces.is_new(LinuxNamespaceType::Pid) => c"/proc",
        b"mqueue" if !namespaces.is_new(LinuxNamespaceType::Ipc) => c"/dev/mqueue",
        _ => return Err(Errno::PERM.into()),
    };
    let copy = clone_tree(CWD, path, OpenTreeFlags::RECURSIVE)?;
    attributes.add(copy.as_fd(), true)?;
    Ok(copy)
}

/// Changes what is mounted at the destination.
fn remount(
    tree: &Tree,
    mount: &Mount<'_>,
    options: Option<&[(std::ffi::CString, Option<std::ffi::CString>)]>,
) -> io::Result<()> {
    let place = tree.root().locate(&mount.destination)?;
    if let Some(options) = options.filter(|options| !options.is_empty()) {
        let context = mount::fspick(&place, c"", FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH)?;
        for (key, value) in options {
            match value {
                Some(value) => mount::fsconfig_set_string(&context, key.as_c_str(), value.as_c_str())?,
                None => mount::fsconfig_set_flag(&context, key.as_c_str())?,
            }
        }
        mount::fsconfig_reconfigure(&context)?;
    }
    for (attributes, recursive) in [(mount.attributes, false), (mount.recursive, true)] {
        if !attributes.is_empty() {
            MountAttr::change(place.as_fd(), recursive, attributes.set, attributes.clear)?;
        }
    }
    mount
        .propagation
        .iter()
        .try_for_each(|(kind, recursive)| MountAttr::propagate(place.as_fd(), *recursive, *kind))?;
    Ok(())
}
