//! The child of an empty container: an ordered list of stages that makes system calls only.
//!
//! It may be a copy of one thread of several, so nothing here allocates, frees, prints or locks; every string and vector
//! was made by the parent. That is also the reason for the one unsafe call, the clone itself.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags};
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::volume::Prepared;
use super::{EmptyContainer, Spawned};
use crate::child::{borrow, close_on_exec, copy_above, exit_now, place, reset_signals};
use crate::clone::{CloneError, Cloned, Namespaces, clone_single_threaded};
use crate::error::{Error, Stage};
use crate::mount_attr::MountAttr;
use crate::report::{self, Failure};
use crate::{ExecArgs, privileges};

/// Everything that the child needs, made by the parent.
pub(super) struct Plan<'a, 'c> {
    container: &'a EmptyContainer<'c>,
    volumes: &'a [Prepared],
    exec: &'a ExecArgs,
    report: BorrowedFd<'a>,
    go: Option<&'a (OwnedFd, OwnedFd)>,
    /// The inherited numbers in ascending order.
    targets: Vec<RawFd>,
    /// Room for copies of the sources above every target.
    copies: Vec<RawFd>,
}

impl<'a, 'c> Plan<'a, 'c> {
    pub(super) fn new(
        container: &'a EmptyContainer<'c>,
        volumes: &'a [Prepared],
        exec: &'a ExecArgs,
        report: BorrowedFd<'a>,
        go: Option<&'a (OwnedFd, OwnedFd)>,
    ) -> Result<Self, Error> {
        let mut targets: Vec<RawFd> = container.fds.iter().map(|(_, target)| *target).collect();
        targets.sort_unstable();
        if targets.windows(2).any(|pair| pair[0] == pair[1]) || targets.first().is_some_and(|first| *first < 0) {
            return Err(Error::Descriptors);
        }
        let copies = vec![-1; targets.len()];
        Ok(Self { container, volumes, exec, report, go, targets, copies })
    }
}

/// Clones; the child goes through the stages and never returns.
pub(super) fn start(plan: Plan<'_, '_>, cgroup: Option<BorrowedFd<'_>>) -> Result<Spawned, CloneError> {
    // SAFETY: the child runs `run` only, which keeps to this module's rule.
    match unsafe { clone_single_threaded(Namespaces::ISOLATED, cgroup) }.map_err(CloneError::Clone)? {
        Cloned::Child => run(plan),
        Cloned::Parent { pid, pidfd } => Ok(Spawned { pid, pidfd }),
    }
}

fn run(mut plan: Plan<'_, '_>) -> ! {
    let Err((pipe, failure)) = stages(&mut plan);
    report::send(pipe, failure);
    exit_now(127)
}

fn stages(plan: &mut Plan<'_, '_>) -> Result<std::convert::Infallible, (BorrowedFd<'static>, Failure)> {
    let original = borrow(plan.report.as_raw_fd());
    let early = |failure| (original, failure);
    MountAttr::make_all_private().map_err(Stage::PrivateMounts.fail()).map_err(early)?;
    let root = mount_root().map_err(Stage::Root.fail()).map_err(early)?;
    plan.volumes
        .iter()
        .try_for_each(|v| attach(borrow(root.as_raw_fd()), v))
        .map_err(Stage::Volumes.fail())
        .map_err(early)?;
    pivot(borrow(root.as_raw_fd())).map_err(Stage::Pivot.fail()).map_err(early)?;
    wait_for_cgroup(plan.go).map_err(Stage::CgroupWait.fail()).map_err(early)?;
    // Its number may be one that the program inherits: never close it.
    std::mem::forget(root);
    let (report, program) = arrange_descriptors(plan).map_err(Stage::Descriptors.fail()).map_err(early)?;
    let late = |failure| (report, failure);
    set_limits(plan.container).map_err(Stage::Limits.fail()).map_err(late)?;
    drop_privileges(plan.container).map_err(Stage::Privileges.fail()).map_err(late)?;
    if let Some(filter) = plan.container.seccomp {
        filter.install().map_err(Stage::Seccomp.fail()).map_err(late)?;
    }
    report::send_ready(report);
    let error = plan.exec.exec_fd(program);
    Err(late(Stage::Exec.fail()(error)))
}

/// An empty tmpfs, attached over the host's root of this namespace.
fn mount_root() -> io::Result<OwnedFd> {
    let context = mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_set_string(&context, c"size", c"64k")?;
    mount::fsconfig_set_string(&context, c"mode", c"0755")?;
    mount::fsconfig_create(&context)?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    mount::move_mount(&root, c"", CWD, c"/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(root)
}

/// Makes the place for a volume in the root, which is ours and empty, and attaches it there.
fn attach(root: BorrowedFd<'_>, volume: &Prepared) -> io::Result<()> {
    let existing_is_fine = |result: Result<(), Errno>| match result {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    };
    for directory in &volume.directories {
        existing_is_fine(rustix::fs::mkdirat(root, directory.as_c_str(), Mode::from_raw_mode(0o755)))?;
    }
    let made = if volume.is_directory {
        rustix::fs::mkdirat(root, volume.path(), Mode::from_raw_mode(0o755))
    } else {
        let file = rustix::fs::FileType::RegularFile;
        rustix::fs::mknodat(root, volume.path(), file, Mode::from_raw_mode(0o644), 0)
    };
    existing_is_fine(made)?;
    Ok(mount::move_mount(&volume.mount, c"", root, volume.path(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Makes the empty root the only file system, and read-only. The old root ends up on top of the new one for a moment
/// (see the notes of pivot_root(2)), so no place for it is needed.
fn pivot(root: BorrowedFd<'_>) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(c".", c".")?;
    mount::unmount(c".", UnmountFlags::DETACH)?;
    MountAttr::RDONLY.add(root, false)
}

/// Waits for the parent, if it has anything to do, and hides the cgroups above.
fn wait_for_cgroup(go: Option<&(OwnedFd, OwnedFd)>) -> io::Result<()> {
    if let Some((reader, writer)) = go {
        // With this copy gone, the end of the parent ends the wait.
        crate::child::close(writer.as_raw_fd());
        if rustix::io::retry_on_intr(|| rustix::io::read(reader, &mut [0u8]))? == 0 {
            return Err(io::Error::from_raw_os_error(libc::ECANCELED));
        }
    }
    rustix::system::sethostname(b"coracle")?;
    crate::child::unshare(UnshareFlags::NEWCGROUP)
}

/// Gives every inherited descriptor its number and lets execve close all others. Returns the report pipe and the program.
fn arrange_descriptors(plan: &mut Plan<'_, '_>) -> io::Result<(BorrowedFd<'static>, BorrowedFd<'static>)> {
    let base = plan.targets.last().map_or(0, |last| last + 1);
    let report = copy_above(plan.report, base)?;
    let program = copy_above(plan.container.program, base)?;
    for ((source, _), copy) in plan.container.fds.iter().zip(&mut plan.copies) {
        *copy = copy_above(*source, base)?;
    }
    for ((_, target), copy) in plan.container.fds.iter().zip(&plan.copies) {
        place(borrow(*copy), *target)?;
    }
    let mut next = 0;
    for target in &plan.targets {
        if *target > next {
            close_on_exec(next, target - 1)?;
        }
        next = target + 1;
    }
    close_on_exec(next, RawFd::MAX)?;
    Ok((borrow(report), borrow(program)))
}

fn set_limits(container: &EmptyContainer<'_>) -> io::Result<()> {
    for (resource, limit) in container.rlimits {
        rustix::process::setrlimit(*resource, *limit)?;
    }
    Ok(())
}

fn drop_privileges(container: &EmptyContainer<'_>) -> io::Result<()> {
    rustix::process::setsid()?;
    reset_signals()?;
    privileges::bound_capabilities(CapabilitySet::empty())?;
    privileges::become_user(container.uid, container.gid, &[])?;
    privileges::set_capabilities(CapabilitySet::empty())?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}
