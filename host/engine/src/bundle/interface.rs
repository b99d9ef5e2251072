//! The network of a bundle: what engines configured in its namespace is the instance's.

use std::os::fd::AsFd;

use network::{Attachment, TapOptions};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use plan::Isolation;
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::BundleError;

/// Enters the network namespace that the bundle names; a new one is the supervisor's since it was made.
pub(super) fn enter_namespace(spec: &Spec) -> Result<(), BundleError> {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    let network = namespaces.into_iter().flatten().find(|namespace| namespace.typ() == LinuxNamespaceType::Network);
    let Some(path) = network.and_then(|namespace| namespace.path().as_ref()) else { return Ok(()) };
    let enter = || {
        let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
    };
    enter().map_err(|e| BundleError::File {
        action: "entering the network namespace",
        path: path.clone(),
        source: e.into(),
    })
}

/// The interface that the namespace has got, if any. QEMU switches the offloads on by itself.
pub(super) fn take_over(level: Isolation) -> Result<Option<Attachment>, BundleError> {
    let offload = level == Isolation::Unikernel;
    Ok(network::adopt(TapOptions { vnet_hdr: true, offload, nonblocking: true })?)
}
