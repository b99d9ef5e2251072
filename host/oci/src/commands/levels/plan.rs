//! A bundle's configuration as the plan of an instance. What a guest's kernel gives by itself (its /proc, /dev, namespaces,
//! capabilities, filters) is left to it.

use std::path::Path;

use oci_spec::runtime::{LinuxResources, Mount, Process, Spec};
use plan::{InstanceId, Isolation, LaunchPlan, NetworkMode, NetworkPlan, Resources, RootFs, User, Volume};

use crate::bundle::Bundle;
use crate::error::Error;
use crate::state::Level;

pub(super) fn plan(
    id: InstanceId,
    spec: &Spec,
    bundle: &Bundle,
    directory: &Path,
    level: Level,
) -> Result<LaunchPlan, Error> {
    let process = spec.process().as_ref().ok_or(Error::Usage("process: it is required: name the program to run"))?;
    let root = spec.root().as_ref();
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    Ok(LaunchPlan {
        name: id.short().to_owned(),
        isolation: if level == Level::Microvm { Isolation::Microvm } else { Isolation::Unikernel },
        image: bundle.path.display().to_string(),
        image_digest: String::new(),
        rootfs: RootFs {
            erofs: directory.join("rootfs.erofs"),
            read_only: root.and_then(|root| root.readonly()).unwrap_or(false),
        },
        process: program(process),
        hostname: spec.hostname().clone().unwrap_or_else(|| "localhost".to_owned()),
        volumes: volumes(spec, &bundle.path),
        resources: limits(resources),
        network: NetworkPlan { mode: NetworkMode::None, published: Vec::new() },
        state_dir: directory.to_owned(),
        auto_remove: false,
        stop_signal: libc::SIGTERM,
        trace_syscalls: false,
        lifecycle: plan::Lifecycle::default(),
        options: plan::Options::default(),
        id,
    })
}

fn program(process: &Process) -> plan::Process {
    let user = process.user();
    plan::Process {
        args: process.args().clone().unwrap_or_default(),
        env: process.env().clone().unwrap_or_default(),
        cwd: process.cwd().to_string_lossy().into_owned(),
        user: User {
            uid: user.uid(),
            gid: user.gid(),
            additional_gids: user.additional_gids().clone().unwrap_or_default(),
        },
        terminal: process.terminal().unwrap_or(false),
    }
}

/// Files and directories of the host. A guest has kernel file systems of its own, so binds below them are left out, and so are
/// all other kinds of mounts.
fn volumes(spec: &Spec, bundle: &Path) -> Vec<Volume> {
    let is_bind = |mount: &Mount| {
        mount.typ().as_deref() == Some("bind")
            || mount.options().iter().flatten().any(|option| matches!(option.as_str(), "bind" | "rbind"))
    };
    let kernels = ["/proc", "/sys", "/dev"];
    let mounts = spec.mounts().iter().flatten().filter(|mount| is_bind(mount));
    mounts
        .filter(|mount| !kernels.iter().any(|own| mount.destination().starts_with(own)))
        .filter_map(|mount| {
            Some(Volume {
                host: bundle.join(mount.source().as_ref()?),
                guest: mount.destination().clone(),
                read_only: mount.options().iter().flatten().any(|option| matches!(option.as_str(), "ro" | "rro")),
            })
        })
        .collect()
}

fn limits(resources: Option<&LinuxResources>) -> Resources {
    let memory = resources.and_then(|r| r.memory().as_ref()).and_then(|memory| memory.limit());
    let cpu = resources.and_then(|r| r.cpu().as_ref());
    let quota = cpu.and_then(|cpu| cpu.quota()).and_then(|quota| u64::try_from(quota).ok()).filter(|quota| *quota > 0);
    let period = cpu.and_then(|cpu| cpu.period()).filter(|period| *period > 0).unwrap_or(100_000);
    let pids = resources.and_then(|r| r.pids().as_ref()).map(|pids| pids.limit());
    Resources {
        memory: memory.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0),
        cpu_millis: quota.and_then(|quota| u32::try_from(quota.saturating_mul(1000) / period).ok()),
        cpuset: cpu.and_then(|cpu| cpu.cpus().clone()).filter(|cpus| !cpus.is_empty()),
        pids: pids.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0),
    }
}
