//! Entering namespaces that the clone has not made.

use std::os::fd::AsFd;

use oci_spec::runtime::LinuxNamespaceType as Type;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Gid, Uid};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::{Context, wait};
use crate::error::Stage;
use crate::message::{AtStage, Failure};
use crate::process::PrivateProc;

pub(super) fn enter(context: &Context<'_>, proc: &PrivateProc) -> Result<(), Failure> {
    let setup = context.setup;
    if setup.namespaces.is_new(Type::User) {
        wait(&context.socket)?;
        // Only now there is a user 0 to be.
        become_root().at(Stage::IdMappings)?;
    }
    if !setup.namespaces.is_new(Type::Pid) {
        // Other containers see this process: once it has their capabilities, they could reach through its /proc entry to the
        // host's files that it has open. execve(2) resets this. Not earlier: a runtime without root could
        // not open the maps of such a process.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Stage::Namespaces)?;
    }
    for (kind, namespace) in &context.joined {
        // The first process was born in these.
        if !matches!(kind, Type::Pid | Type::User) {
            let link = link_type(*kind);
            rustix::thread::move_into_link_name_space(namespace.as_fd(), link)
                .about(Stage::Namespaces, &kind.to_string().to_lowercase())?;
        }
    }
    if setup.namespaces.is_new(Type::Time) {
        shift_clocks(setup.time_offsets.as_deref(), proc).at(Stage::TimeOffsets)?;
    }
    Ok(())
}

/// Becomes user and group 0 of a user namespace that was entered.
pub(crate) fn become_root() -> std::io::Result<()> {
    match rustix::thread::set_thread_groups(&[]) {
        // Who maps only himself must not drop groups (user_namespaces(7)).
        Ok(()) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    Ok(rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?)
}

fn link_type(kind: Type) -> Option<LinkNameSpaceType> {
    Some(match kind {
        Type::Mount => LinkNameSpaceType::Mount,
        Type::Cgroup => LinkNameSpaceType::ControlGroup,
        Type::Uts => LinkNameSpaceType::HostNameAndNISDomainName,
        Type::Ipc => LinkNameSpaceType::InterProcessCommunication,
        Type::User => LinkNameSpaceType::User,
        Type::Pid => LinkNameSpaceType::ProcessID,
        Type::Network => LinkNameSpaceType::Network,
        Type::Time => LinkNameSpaceType::Time,
    })
}

/// A time namespace takes offsets only as long as no process is in it, so it is made for a child first and then entered
/// (time_namespaces(7)).
fn shift_clocks(offsets: Option<&str>, proc: &PrivateProc) -> std::io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    jail::unshare(UnshareFlags::NEWTIME)?;
    if let Some(offsets) = offsets {
        proc.write("self/timens_offsets", offsets.as_bytes())?;
    }
    let path = "self/ns/time_for_children";
    let namespace = rustix::fs::openat(proc.root()?, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Time))?)
}
