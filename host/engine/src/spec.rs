//! From a plan to the OCI runtime specification's model (config.md, config-linux.md), with Docker's defaults.

mod capabilities;
mod devices;
mod mounts;
mod process;
mod resources;

use std::path::{Path, PathBuf};

use oci_spec::runtime::{
    Linux, LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespace, LinuxNamespaceType as Kind, LinuxSeccomp, Process,
    Root, Spec, VERSION,
};
use plan::options::{CgroupMode, IdMapping, IpcMode, PidMode, SeccompChoice, UserMode, UtsMode};
use plan::{LaunchPlan, NetworkMode};

use crate::Error;

pub(crate) use capabilities::capabilities;
use process::process;

/// What the plan alone does not say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// Host files bound over the image's: host path and place inside.
    pub(crate) etc: Vec<(PathBuf, &'static str)>,
    /// The first process of the container whose network is shared.
    pub(crate) network_of: Option<i32>,
    /// The first process of the container whose processes are seen.
    pub(crate) pid_of: Option<i32>,
    /// The first process of the container whose shared memory is seen.
    pub(crate) ipc_of: Option<i32>,
    /// Our init on the host.
    pub(crate) init: Option<PathBuf>,
    /// Mappings of `--userns auto` and of a user without root.
    pub(crate) mappings: Option<(Vec<IdMapping>, Vec<IdMapping>)>,
    /// Whether the group of terminals, 5, has no meaning here: a user with one id only.
    pub(crate) no_terminal_group: bool,
    /// A copy of the other container's /dev/shm.
    pub(crate) shm: Option<PathBuf>,
    /// Whether the engine runs in a user namespace: nodes cannot be made, and much of /sys is not its own.
    pub(crate) rootless: bool,
}

/// The files and directories of /proc and /sys that tell about, or reach, the host (Docker's list).
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What may be read but not written, whatever the permissions say.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The configuration of a container.
pub(crate) fn spec(plan: &LaunchPlan, around: &Surroundings) -> Result<Spec, Error> {
    let mut spec = Spec::default();
    spec.set_version(VERSION.to_owned());
    let mut root = Root::default();
    root.set_path(PathBuf::from("rootfs"));
    root.set_readonly(Some(plan.rootfs.read_only));
    spec.set_root(Some(root));
    if plan.options.uts == UtsMode::Private {
        spec.set_hostname(Some(plan.hostname.clone()));
        spec.set_domainname(plan.options.domainname.clone());
    } else {
        spec.set_hostname(None);
    }
    spec.set_process(Some(first_process(plan, around)));
    spec.set_mounts(Some(mounts::mounts(plan, around)));
    spec.set_annotations(Some(plan.options.annotations.clone().into_iter().collect()));
    spec.set_linux(Some(linux(plan, around)?));
    Ok(spec)
}

/// Takes the right to make device nodes away.
pub(crate) fn forbid_nodes(spec: &mut Spec) {
    use oci_spec::runtime::Capability;
    let Some(process) = spec.process_mut() else { return };
    let Some(mut sets) = process.capabilities().clone() else { return };
    let without = |set: &Option<oci_spec::runtime::Capabilities>| {
        set.as_ref().map(|set| set.iter().copied().filter(|one| *one != Capability::Mknod).collect())
    };
    sets.set_bounding(without(sets.bounding()));
    sets.set_effective(without(sets.effective()));
    sets.set_permitted(without(sets.permitted()));
    process.set_capabilities(Some(sets));
}

/// A further program of a container: what the first may do, unless it is privileged.
pub(crate) fn further_process(process: &plan::Process, options: &plan::Options, spec: &Spec) -> Process {
    let mut made = self::process(process, options);
    let first = spec.process().as_ref().and_then(|first| first.capabilities().as_ref());
    if let (Some(first), Some(mut own), false) = (first, made.capabilities().clone(), options.security.privileged) {
        own.set_bounding(first.bounding().clone());
        if process.user.uid == 0 {
            own.set_effective(first.bounding().clone());
            own.set_permitted(first.bounding().clone());
        }
        made.set_capabilities(Some(own));
    }
    made
}

/// Where our init is inside.
pub(crate) const INIT: &str = "/sbin/coracle-init";

fn first_process(plan: &LaunchPlan, around: &Surroundings) -> Process {
    let mut process = process(&plan.process, &plan.options);
    if around.init.is_some() {
        let mut args = vec![INIT.to_owned(), "--".to_owned()];
        args.extend(plan.process.args.iter().cloned());
        process.set_args(Some(args));
    }
    process
}

fn linux(plan: &LaunchPlan, around: &Surroundings) -> Result<Linux, Error> {
    let (options, security) = (&plan.options, &plan.options.security);
    let mut linux = Linux::default();
    linux.set_namespaces(Some(namespaces(plan, around)));
    if let Some((uids, gids)) = mappings(plan, around) {
        linux.set_uid_mappings(Some(uids));
        linux.set_gid_mappings(Some(gids));
    }
    let devices = devices::devices(options, around.rootless)?;
    linux.set_resources(Some(resources::resources(plan, &devices)?));
    linux.set_devices(Some(devices.into_iter().map(|device| device.node).collect()));
    linux.set_sysctl((!options.sysctl.is_empty()).then(|| options.sysctl.clone().into_iter().collect()));
    linux.set_seccomp(seccomp(&security.seccomp)?.filter(|_| !security.privileged));
    let all = security.privileged || security.unmask.iter().any(|path| path == "ALL");
    let shown = |path: &&str| !all && !security.unmask.iter().any(|unmasked| covers(unmasked, path));
    let own = |path: &&str| !around.rootless || path.starts_with("/proc");
    let mut masked: Vec<String> = MASKED.iter().copied().filter(shown).map(str::to_owned).collect();
    masked.extend(security.mask.iter().cloned());
    linux.set_masked_paths(Some(masked));
    let protected = READ_ONLY.iter().copied().filter(shown).filter(own).map(str::to_owned);
    linux.set_readonly_paths(Some(protected.collect()));
    if let Some(propagation) = mounts::root_propagation(&options.mounts) {
        linux.set_rootfs_propagation(Some(propagation.to_owned()));
    }
    Ok(linux)
}

/// Whether `unmask` names the path or something above it; a final `*` stands for any rest.
fn covers(unmasked: &str, path: &str) -> bool {
    match unmasked.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => Path::new(path).starts_with(unmasked),
    }
}

fn seccomp(choice: &SeccompChoice) -> Result<Option<LinuxSeccomp>, Error> {
    match choice {
        SeccompChoice::Profile(text) => {
            let damaged = |source| Error::Damaged { path: "seccomp".into(), source };
            serde_json::from_str(text).map(Some).map_err(damaged)
        }
        SeccompChoice::Default | SeccompChoice::Unconfined => Ok(None),
    }
}

fn namespaces(plan: &LaunchPlan, around: &Surroundings) -> Vec<LinuxNamespace> {
    let options = &plan.options;
    let of = |pid: Option<i32>, name: &str| pid.map(|pid| PathBuf::from(format!("/proc/{pid}/ns/{name}")));
    let mut all = vec![namespace(Kind::Mount, None)];
    match &plan.network.mode {
        NetworkMode::Host => {}
        NetworkMode::Container(_) => all.push(namespace(Kind::Network, of(around.network_of, "net"))),
        NetworkMode::Bridge | NetworkMode::None | NetworkMode::Pasta => all.push(namespace(Kind::Network, None)),
    }
    match &options.pid {
        PidMode::Private => all.push(namespace(Kind::Pid, None)),
        PidMode::Container(_) => all.push(namespace(Kind::Pid, of(around.pid_of, "pid"))),
        PidMode::Host => {}
    }
    match &options.ipc {
        IpcMode::Private | IpcMode::Shareable => all.push(namespace(Kind::Ipc, None)),
        IpcMode::Container(_) => all.push(namespace(Kind::Ipc, of(around.ipc_of, "ipc"))),
        IpcMode::Host => {}
    }
    if options.uts == UtsMode::Private {
        all.push(namespace(Kind::Uts, None));
    }
    if options.cgroup == CgroupMode::Private {
        all.push(namespace(Kind::Cgroup, None));
    }
    if mappings(plan, around).is_some() {
        all.push(namespace(Kind::User, None));
    }
    all
}

fn namespace(kind: Kind, path: Option<PathBuf>) -> LinuxNamespace {
    let mut namespace = LinuxNamespace::default();
    namespace.set_typ(kind);
    namespace.set_path(path);
    namespace
}

fn mappings(plan: &LaunchPlan, around: &Surroundings) -> Option<(Vec<LinuxIdMapping>, Vec<LinuxIdMapping>)> {
    let convert = |list: &[IdMapping]| list.iter().filter_map(id_mapping).collect();
    match (&plan.options.user, &around.mappings) {
        (UserMode::Mapped(uids, gids), _) | (_, Some((uids, gids))) => Some((convert(uids), convert(gids))),
        _ => None,
    }
}

fn id_mapping(mapping: &IdMapping) -> Option<LinuxIdMapping> {
    let builder = LinuxIdMappingBuilder::default().container_id(mapping.inside).host_id(mapping.outside);
    builder.size(mapping.count).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmasked_paths() {
        assert!(
            covers("/proc/acpi", "/proc/acpi") && covers("/sys", "/sys/firmware") && covers("/proc/*", "/proc/keys")
        );
        assert!(!covers("/proc/ac", "/proc/acpi") && !covers("/proc", "/sys/firmware"));
    }
}
