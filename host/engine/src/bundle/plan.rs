//! `config.json` → [`LaunchPlan`], refusing by name what the level cannot do.

use std::path::Path;

use ::plan::{InstanceId, LaunchPlan, NetworkMode, NetworkPlan, Process, RootFs, User};
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::mounts::{self, Mounts};
use super::{Bundle, BundleError, directory, image_file, limits};

/// A plan, and what the levels take beside it.
#[derive(Debug)]
pub(super) struct BundlePlan {
    pub(super) launch: LaunchPlan,
    pub(super) etc_hosts: String,
    pub(super) resolv_conf: String,
}

/// The id itself if it is one of ours (Docker's and Podman's are); otherwise a number made from it and from where its state
/// is, since only within one state directory it is unique.
pub(super) fn instance_id(id: &str, state_dir: &Path) -> InstanceId {
    id.parse().unwrap_or_else(|_| {
        let name = format!("{}\0{id}", state_dir.display());
        let digest = image::Digest::of(name.as_bytes()).hex();
        digest.parse().expect("a SHA-256 digest has 64 hexadecimal digits")
    })
}

pub(super) fn from_spec(bundle: &Bundle<'_>) -> Result<BundlePlan, BundleError> {
    let spec = bundle.spec;
    refuse(bundle)?;
    let read_only = spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false);
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    let Mounts { volumes, etc_hosts, resolv_conf } = mounts::translate(mounts, bundle.dir, bundle.level, read_only)?;
    let hostname = spec.hostname().clone().unwrap_or_else(|| "localhost".to_owned());
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    let id = instance_id(bundle.id, bundle.state_dir);
    let directory = directory(&id);
    let launch = LaunchPlan {
        id,
        name: bundle.id.to_owned(),
        isolation: bundle.level,
        image: bundle.dir.display().to_string(),
        image_digest: String::new(),
        rootfs: RootFs { erofs: image_file(&directory), read_only },
        process: process(spec)?,
        volumes,
        resources: limits::resources(resources),
        network: NetworkPlan { mode: NetworkMode::None, published: Vec::new() },
        state_dir: directory,
        auto_remove: false,
        stop_signal: libc::SIGTERM,
        trace_syscalls: false,
        lifecycle: Default::default(),
        options: Default::default(),
        hostname,
    };
    let etc_hosts = etc_hosts.unwrap_or_else(|| format!("127.0.0.1\tlocalhost {}\n", launch.hostname));
    Ok(BundlePlan { launch, etc_hosts, resolv_conf: resolv_conf.unwrap_or_default() })
}

/// What would silently be missing inside. Everything that only restricts processes of the host's kernel (capabilities, seccomp,
/// masked paths, labels) restricts nothing here that the level's boundary does not.
fn refuse(bundle: &Bundle<'_>) -> Result<(), BundleError> {
    let unsupported =
        |field: &str, what| Err(BundleError::Unsupported { field: field.to_owned(), what, level: bundle.level });
    if let Some(hooks) = bundle.spec.hooks() {
        let some = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
        if some(hooks.create_container()) || some(hooks.start_container()) {
            return unsupported("hooks", "a hook that runs inside the container");
        }
    }
    let namespaces = bundle.spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    if !namespaces.is_some_and(|all| all.iter().any(|namespace| namespace.typ() == LinuxNamespaceType::Network)) {
        return unsupported("linux.namespaces", "the host's network");
    }
    for namespace in namespaces.into_iter().flatten() {
        match (namespace.typ(), namespace.path()) {
            (LinuxNamespaceType::Network, _) | (_, None) => {}
            _ => return unsupported("linux.namespaces", "joining another container's namespace"),
        }
    }
    let Some(linux) = bundle.spec.linux() else { return Ok(()) };
    if linux.devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
        return unsupported("linux.devices", "a device of the host");
    }
    if linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
        return unsupported("linux.netDevices", "an interface of the host");
    }
    if linux.uid_mappings().as_ref().is_some_and(|mappings| !mappings.is_empty()) {
        return unsupported("linux.uidMappings", "a user namespace");
    }
    Ok(())
}

fn process(spec: &Spec) -> Result<Process, BundleError> {
    let process = spec.process().as_ref().ok_or(BundleError::Missing("process"))?;
    let args = process.args().clone().filter(|args| !args.is_empty()).ok_or(BundleError::Missing("process.args"))?;
    let user = process.user();
    Ok(Process {
        args,
        env: process.env().clone().unwrap_or_default(),
        cwd: process.cwd().to_str().ok_or(BundleError::Missing("process.cwd in UTF-8"))?.to_owned(),
        user: User {
            uid: user.uid(),
            gid: user.gid(),
            additional_gids: user.additional_gids().clone().unwrap_or_default(),
        },
        terminal: process.terminal().unwrap_or(false),
    })
}
