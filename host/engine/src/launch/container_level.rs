//! A plan as a container.

use std::os::fd::AsFd;
use std::path::Path;

use cgroup::{DevicePolicy, Group, GroupPath, Manager};
use container::{Io, Options, Request, RootSource};
use network::{Lease, Network};
use oci_spec::runtime::{LinuxIdMapping, Spec};
use plan::options::SeccompChoice;
use plan::{LaunchPlan, NetworkMode};

use super::{EtcFiles, Shared};
use crate::spec::{self, Surroundings};
use crate::{Error, Paths};

/// Everything that a start needs.
pub(super) struct Start<'a> {
    pub(super) paths: &'a Paths,
    pub(super) plan: &'a LaunchPlan,
    pub(super) etc: &'a EtcFiles,
    pub(super) shared: &'a Shared,
}

impl Start<'_> {
    /// Starts the program. `record` is told its process before it is executed.
    pub(super) fn run(
        &self,
        io: Io,
        connection: Option<&(Network, Lease)>,
        record: impl FnOnce(i32) -> Result<(), Error>,
    ) -> Result<container::Running, Error> {
        let mut around = surroundings(self.paths, self.plan, self.shared)?;
        around.etc = self.etc.bindings();
        // Held until the container has made its own copy.
        let place = self.plan.state_dir.join("shm");
        let shm = self.shared.ipc.as_ref().map(|other| other.shared_memory(place)).transpose()?;
        around.shm = shm.as_ref().map(|shm| shm.path().to_owned());
        let mut spec = spec::spec(self.plan, &around)?;
        let group = self.group(&spec)?;
        let started = self.start(&mut spec, &group, io, connection, record);
        if started.is_err() {
            // The first error is the one to tell; what cannot be removed now is found by `system check`.
            let _ = group.remove();
        }
        started
    }

    fn start(
        &self,
        spec: &mut Spec,
        group: &Group,
        io: Io,
        connection: Option<&(Network, Lease)>,
        record: impl FnOnce(i32) -> Result<(), Error>,
    ) -> Result<container::Running, Error> {
        let plan = self.plan;
        if !group.devices_restricted() && !plan.options.security.privileged {
            // Where nothing restricts which devices may be opened, no device node may be made either.
            spec::forbid_nodes(spec);
        }
        // A user without root may not mount the image.
        let tree = self.paths.is_rootless().then(|| crate::rootless::tree(self.paths, plan)).transpose()?;
        let (layer, volatile) = ((!plan.rootfs.read_only).then_some(plan.state_dir.as_path()), plan.auto_remove);
        if layer.is_some() {
            prepare_layer(spec, &plan.state_dir)?;
        }
        let created = container::create(&Request {
            id: plan.id.as_str(),
            spec,
            bundle: &plan.state_dir,
            root: match &tree {
                Some(lower) => RootSource::Layered { lower, layer, volatile },
                None => RootSource::Image { erofs: &plan.rootfs.erofs, layer, volatile },
            },
            io,
            cgroup: group,
            options: Options { default_filter: has_default_filter(plan), ..Options::default() },
        })?;
        if let Some((network, lease)) = connection {
            match created.netns() {
                Ok(netns) => network.connect_veth(lease, netns.as_fd())?,
                // It has ended: its own reason is the one to tell.
                Err(error) => return Err(created.start().err().unwrap_or(error).into()),
            }
        }
        if plan.network.mode == NetworkMode::Pasta {
            crate::rootless::pasta::connect(plan, created.pid())?;
        }
        record(created.pid())?;
        Ok(created.start()?)
    }

    fn group(&self, spec: &Spec) -> Result<Group, Error> {
        let policy = match self.plan.options.security.privileged {
            true => DevicePolicy::Unrestricted,
            false => DevicePolicy::Rules,
        };
        let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
        let asked = group_path(self.plan)?;
        let made = Group::create(&asked, Manager::Cgroupfs, resources, policy, false);
        let group = match made {
            Err(error) if self.paths.is_rootless() => return Err(Error::NotDelegated(error)),
            other => other?,
        };
        if *group.path() != asked {
            // Below this user's own group: where it was delegated.
            let file = self.plan.state_dir.join(GROUP_FILE);
            crate::instance::write_plain(&file, format!("/{}", group.path()).as_bytes())?;
        }
        Ok(group)
    }
}

/// In a user namespace of its own, the container's root has to own its layer.
fn prepare_layer(spec: &Spec, state_dir: &Path) -> Result<(), Error> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    let root_of = |mappings: &Option<Vec<LinuxIdMapping>>| {
        mappings.iter().flatten().find(|mapping| mapping.container_id() == 0).map(LinuxIdMapping::host_id)
    };
    let (Some(uid), Some(gid)) = (root_of(linux.uid_mappings()), root_of(linux.gid_mappings())) else { return Ok(()) };
    for name in ["upper", "work"] {
        let path = state_dir.join(name);
        match std::fs::create_dir(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            made => made.map_err(Error::file("creating", &path))?,
        }
        std::os::unix::fs::chown(&path, Some(uid), Some(gid)).map_err(Error::file("changing the owner of", &path))?;
    }
    Ok(())
}

/// Whether the engine's own filter is used, which needs no translation of a profile.
pub(crate) fn has_default_filter(plan: &LaunchPlan) -> bool {
    plan.options.security.seccomp == SeccompChoice::Default && !plan.options.security.privileged
}

/// Holds the path of a group that is not where it would usually be.
const GROUP_FILE: &str = "cgroup";

fn group_path(plan: &LaunchPlan) -> Result<GroupPath, Error> {
    match &plan.options.cgroup_parent {
        None => Ok(GroupPath::for_instance(&plan.id)),
        Some(parent) => Ok(GroupPath::parse(&format!("/{}/{}", parent.trim_matches('/'), plan.id))?),
    }
}

/// The groups of a container that exists.
pub(crate) fn group(plan: &LaunchPlan) -> Result<Group, Error> {
    match std::fs::read_to_string(plan.state_dir.join(GROUP_FILE)) {
        Ok(text) => Ok(Group::open(&GroupPath::parse(&text)?)?),
        Err(_) => Ok(Group::open(&group_path(plan)?)?),
    }
}

/// The configuration that a running container was made from, as far as a further program needs it.
pub(crate) fn target_spec(plan: &LaunchPlan) -> Result<Spec, Error> {
    // Those that it shares with others are its own by now, whether the others still run or not.
    let mut spec = spec::spec(plan, &Surroundings::default())?;
    if !group(plan)?.devices_restricted() && !plan.options.security.privileged {
        spec::forbid_nodes(&mut spec);
    }
    Ok(spec)
}

fn surroundings(paths: &Paths, plan: &LaunchPlan, shared: &Shared) -> Result<Surroundings, Error> {
    let init = plan.lifecycle.init.then(|| paths.init());
    if let Some(missing) = init.as_ref().filter(|init| !init.exists()) {
        return Err(Error::MissingProgram(missing.clone()));
    }
    Ok(Surroundings {
        network_of: shared.network.as_ref().map(|other| other.process),
        pid_of: shared.pid.as_ref().map(|other| other.process),
        ipc_of: shared.ipc.as_ref().map(|other| other.process),
        init,
        rootless: paths.is_rootless(),
        no_terminal_group: paths.is_rootless() && crate::rootless::has_one_id(),
        ..Surroundings::default()
    })
}

/// Removes what a container may have left on the host, killing what still runs. Mounts and namespaces go with its processes.
pub(super) fn destroy(plan: &LaunchPlan) -> Result<(), Error> {
    if plan.network.mode == NetworkMode::Pasta {
        crate::rootless::pasta::disconnect(&plan.state_dir);
    }
    let usual = plan.options.cgroup_parent.is_none() && !plan.state_dir.join(GROUP_FILE).exists();
    if usual { Ok(cgroup::destroy(&plan.id)?) } else { Ok(group(plan)?.remove()?) }
}
