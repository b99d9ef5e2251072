//! The network of a bundle: what engines configured in its namespace is the instance's.

use network::{Adopted, TapOptions, adopt};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;

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
    enter().map_err(|e| BundleError::File { action: "entering the network namespace", path: path.clone(), source: e.into() })
}

pub(super) fn for_unikernel() -> Result<Option<unikernel::NetAttachment>, BundleError> {
    let adopted = adopt(TapOptions { vnet_hdr: true, offload: true, nonblocking: true })?;
    let attachment = |Adopted { tap, address, prefix, gateway, mac, mtu }| unikernel::NetAttachment {
        tap,
        address,
        prefix,
        gateway,
        mac,
        dns: Vec::new(),
        mtu,
    };
    Ok(adopted.map(attachment))
}

pub(super) fn for_microvm() -> Result<Option<microvm::NetAttachment>, BundleError> {
    let adopted = adopt(TapOptions { vnet_hdr: true, offload: false, nonblocking: true })?;
    let attachment = |Adopted { tap, address, prefix, gateway, mac, mtu }| microvm::NetAttachment {
        tap,
        address,
        prefix,
        gateway,
        mac,
        dns: Vec::new(),
        mtu,
    };
    Ok(adopted.map(attachment))
}
