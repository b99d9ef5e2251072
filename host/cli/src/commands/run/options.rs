//! Flags to the plan's options.

use engine::Error;
use plan::Options;
use plan::options::{MoreLimits, Mount, Security, UserMode};

use super::files;
use crate::args::{NamespaceArgs, ResourceArgs, RunArgs, SecurityArgs, StorageArgs, VolumeArg};

/// What the flags say; vectors are moved out of the arguments.
pub(super) fn options(args: &mut RunArgs) -> Result<Options, Error> {
    let mut labels = Vec::new();
    for line in files::lines(&args.label_file)? {
        let (key, value) = line.split_once('=').unwrap_or((&line, ""));
        labels.push((key.to_owned(), value.to_owned()));
    }
    labels.append(&mut args.label);
    let network = &mut args.network;
    let namespaces = &args.namespaces;
    Ok(Options {
        security: security(&mut args.security),
        devices: std::mem::take(&mut args.security.device),
        device_rules: std::mem::take(&mut args.security.device_cgroup_rule),
        mounts: mounts(&mut args.storage),
        pid: namespaces.pid.clone(),
        ipc: namespaces.ipc.clone(),
        uts: namespaces.uts.clone(),
        user: user(namespaces),
        cgroup: namespaces.cgroupns.clone(),
        cgroup_parent: namespaces.cgroup_parent.clone(),
        sysctl: args.security.sysctl.drain(..).collect(),
        ulimits: std::mem::take(&mut args.resources.ulimit),
        limits: limits(&mut args.resources),
        shm_size: args.storage.shm_size,
        oom_score_adj: args.resources.oom_score_adj,
        domainname: network.domainname.take(),
        dns: std::mem::take(&mut network.dns),
        dns_search: std::mem::take(&mut network.dns_search),
        dns_options: std::mem::take(&mut network.dns_option),
        hosts: std::mem::take(&mut network.add_host),
        ip: network.ip,
        mac: network.mac_address,
        exposed: std::mem::take(&mut network.expose),
        stop_timeout: args.stop_timeout,
        labels: labels.into_iter().collect(),
        annotations: args.annotation.drain(..).collect(),
        cid_file: args.cidfile.take(),
    })
}

fn security(args: &mut SecurityArgs) -> Security {
    let mut security = Security {
        privileged: args.privileged,
        cap_add: std::mem::take(&mut args.cap_add),
        cap_drop: std::mem::take(&mut args.cap_drop),
        ..Security::default()
    };
    args.security_opt.drain(..).for_each(|option| security.set(option));
    security
}

fn mounts(args: &mut StorageArgs) -> Vec<Mount> {
    let named = args.volume.iter().filter_map(|volume| match volume {
        VolumeArg::Named(mount) => Some(mount.clone()),
        VolumeArg::Host(_) => None,
    });
    let mut all: Vec<Mount> = named.collect();
    all.append(&mut args.mount);
    all.append(&mut args.tmpfs);
    all
}

fn user(args: &NamespaceArgs) -> UserMode {
    match (args.uidmap.as_slice(), args.gidmap.as_slice()) {
        ([], []) => args.userns.clone(),
        (uids, []) => UserMode::Mapped(uids.to_vec(), uids.to_vec()),
        ([], gids) => UserMode::Mapped(gids.to_vec(), gids.to_vec()),
        (uids, gids) => UserMode::Mapped(uids.to_vec(), gids.to_vec()),
    }
}

fn limits(args: &mut ResourceArgs) -> MoreLimits {
    MoreLimits {
        memory_swap: args.memory_swap,
        memory_reservation: args.memory_reservation,
        memory_swappiness: args.memory_swappiness,
        oom_kill_disable: args.oom_kill_disable,
        cpu_shares: args.cpu_shares,
        cpu_period: args.cpu_period,
        cpu_quota: args.cpu_quota,
        cpuset_mems: args.cpuset_mems.take(),
        blkio_weight: args.blkio_weight,
        blkio_weight_device: std::mem::take(&mut args.blkio_weight_device),
        device_read_bps: std::mem::take(&mut args.device_read_bps),
        device_write_bps: std::mem::take(&mut args.device_write_bps),
        device_read_iops: std::mem::take(&mut args.device_read_iops),
        device_write_iops: std::mem::take(&mut args.device_write_iops),
    }
}
