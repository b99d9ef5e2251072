//! Namespaces that exist already.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::{CloneError, Cloned};
use oci_spec::runtime::LinuxNamespaceType as Type;
use rustix::fs::{Mode, OFlags};
use rustix::process::DumpableBehavior;
use rustix::thread::LinkNameSpaceType;

use crate::error::{Error, Stage};
use crate::spec::Namespaces;

/// Opens them, in the order in which they have to be entered: the user namespace gives the rights for the others, and the
/// mount namespace hides the host's paths.
pub(super) fn open(namespaces: &Namespaces<'_>) -> Result<Vec<(Type, OwnedFd)>, Error> {
    let rank = |kind: &Type| match kind {
        Type::User => 0,
        Type::Mount => 2,
        _ => 1,
    };
    let mut ordered: Vec<_> = namespaces.joined.iter().collect();
    ordered.sort_by_key(|(kind, _)| rank(kind));
    let open = |(kind, path): &(Type, &std::path::Path)| {
        let opened = rustix::fs::open(*path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let opened = opened.map_err(|e| Error::Namespace { path: path.to_path_buf(), source: e.into() })?;
        Ok((*kind, opened))
    };
    ordered.into_iter().map(open).collect()
}

/// Clones a child that is born in a process namespace: setns(2) decides where the *next* child is born, so one clone
/// suffices, and this process goes back to its own namespace.
pub(crate) fn born_in(
    namespace: Option<BorrowedFd<'_>>,
    clone: impl FnOnce() -> Result<Cloned, CloneError>,
) -> Result<Cloned, Error> {
    let Some(namespace) = namespace else { return Ok(clone()?) };
    let error = |e: rustix::io::Errno| Error::Stage { stage: Stage::Join, detail: "pid".to_owned(), source: e.into() };
    let own = rustix::fs::open("/proc/self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(error)?;
    // Programs that are there already see the child before it has dropped its privileges: they must not reach through its
    // /proc entry to this program's file and descriptors (CVE-2016-9962, CVE-2019-5736). execve(2) resets it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(error)?;
    rustix::thread::move_into_link_name_space(namespace, Some(LinkNameSpaceType::ProcessID)).map_err(error)?;
    let cloned = clone();
    if !matches!(cloned, Ok(Cloned::Child)) {
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(error)?;
        crate::exec::go_back(own.as_fd()).map_err(error)?;
    }
    Ok(cloned?)
}
