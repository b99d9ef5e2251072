use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use plan::{InstanceId, Resources};

use crate::files::{Directory, Made};
use crate::layout::{Layout, PARENT};
use crate::{Controller, Devices, Error, cpu, cpuset, devices, freezer, memory, pids, remove};

/// The control groups of one instance.
#[derive(Debug)]
pub struct Cgroup {
    pub(crate) unified: Option<Directory>,
    pub(crate) legacy: Vec<Legacy>,
    devices_restricted: bool,
}

/// The group in one version 1 hierarchy, which may hold several controllers.
#[derive(Debug)]
pub(crate) struct Legacy {
    pub(crate) controllers: Vec<Controller>,
    /// The name of the hierarchy's mount point, for example `memory` or `cpu,cpuacct`.
    name: String,
    pub(crate) directory: Directory,
}

impl Cgroup {
    /// Makes the groups of an instance with these limits.
    ///
    /// # Errors
    /// [`Error::MissingController`] for a limit that nothing here can enforce, [`Error::Write`] for a value that the kernel
    /// refuses. After an error nothing is left.
    pub fn create(id: &InstanceId, resources: &Resources, devices: Devices) -> Result<Self, Error> {
        let layout = Layout::current()?;
        build(layout, id, resources, devices).inspect_err(|_| {
            // The first error is the one to tell; what cannot be removed now is found by `list`.
            let _ = remove::remove_from(layout, id);
        })
    }

    /// Opens the groups that an instance has; those of an instance that has none are empty.
    ///
    /// # Errors
    /// [`Error::Read`] if a directory exists but cannot be opened.
    pub fn open(id: &InstanceId) -> Result<Self, Error> {
        let layout = Layout::current()?;
        let at = |root: &Path| Directory::open(root.join(PARENT).join(id.as_str()));
        let unified = layout.unified().map(at).transpose()?.flatten();
        let mut group = Self { unified, legacy: Vec::new(), devices_restricted: false };
        for controller in Controller::ALL {
            let Some(root) = layout.legacy(controller) else { continue };
            if group.note_controller(root, id, controller) {
                continue;
            }
            group.legacy.extend(at(root)?.map(|directory| Legacy::new(root, controller, directory)));
        }
        Ok(group)
    }

    /// The version 2 group, for a process to be born in (`CLONE_INTO_CGROUP` of clone3(2)).
    pub fn birth_directory(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(AsFd::as_fd)
    }

    /// Whether a process that was born in [`birth_directory`](Self::birth_directory) has to be moved as well.
    pub fn needs_move(&self) -> bool {
        !self.legacy.is_empty()
    }

    /// Moves a process into the version 1 groups; enough for one that was born in the version 2 group.
    ///
    /// # Errors
    /// [`Error::Write`], for example when the process has ended.
    pub fn move_born(&self, pid: i32) -> Result<(), Error> {
        self.legacy.iter().try_for_each(|legacy| legacy.directory.write("cgroup.procs", &pid.to_string()))
    }

    /// Moves a process into all groups.
    ///
    /// # Errors
    /// As [`move_born`](Self::move_born).
    pub fn add(&self, pid: i32) -> Result<(), Error> {
        if let Some(unified) = &self.unified {
            unified.write("cgroup.procs", &pid.to_string())?;
        }
        self.move_born(pid)
    }

    /// Whether the device list of [`Devices::ContainerDefault`] is in force. A machine may offer neither kind of filter.
    pub fn devices_restricted(&self) -> bool {
        self.devices_restricted
    }

    /// The group's directory in each hierarchy: the name of the mount point (none for version 2) and the directory.
    pub fn directories(&self) -> impl Iterator<Item = (Option<&str>, &Path)> {
        let unified = self.unified.iter().map(|directory| (None, directory.path()));
        unified.chain(self.legacy.iter().map(|legacy| (Some(legacy.name.as_str()), legacy.directory.path())))
    }

    /// Ends every process of the group at once.
    ///
    /// # Errors
    /// [`Error::Write`] or [`Error::Read`].
    pub fn kill(&self) -> Result<(), Error> {
        if let Some(unified) = &self.unified
            && unified.write_if_exists("cgroup.kill", "1")?
        {
            return Ok(());
        }
        for pid in self.processes() {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                // One that has ended meanwhile needs no signal.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        Ok(())
    }

    /// Suspends or resumes every process of the group.
    ///
    /// # Errors
    /// [`Error::MissingController`] on a version 1 machine without the freezer.
    pub fn freeze(&self, frozen: bool) -> Result<(), Error> {
        match (&self.unified, self.legacy(Controller::Freezer)) {
            (Some(unified), _) => freezer::set_v2(unified, frozen),
            (None, Some(group)) => freezer::set_v1(group, frozen),
            (None, None) => Err(Error::MissingController { controller: Controller::Freezer, option: "pause" }),
        }
    }

    /// The ids of the group's processes.
    pub fn processes(&self) -> Vec<i32> {
        let directory = self.unified.as_ref().or(self.legacy.first().map(|legacy| &legacy.directory));
        let text = directory.and_then(|directory| directory.read("cgroup.procs").ok()).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    pub(crate) fn legacy(&self, controller: Controller) -> Option<&Directory> {
        let legacy = self.legacy.iter().find(|legacy| legacy.controllers.contains(&controller))?;
        Some(&legacy.directory)
    }

    /// Adds a controller to a hierarchy that the group is in already.
    fn note_controller(&mut self, root: &Path, id: &InstanceId, controller: Controller) -> bool {
        let path = root.join(PARENT).join(id.as_str());
        match self.legacy.iter_mut().find(|legacy| legacy.directory.path() == path) {
            Some(legacy) => {
                legacy.controllers.push(controller);
                true
            }
            None => false,
        }
    }

    /// The group in the version 1 hierarchy of a controller, made if need be; `None` if that is not mounted.
    fn join_legacy(&mut self, layout: &Layout, id: &InstanceId, controller: Controller) -> Result<bool, Error> {
        let Some(root) = layout.legacy(controller) else { return Ok(false) };
        if self.legacy(controller).is_some() || self.note_controller(root, id, controller) {
            return Ok(true);
        }
        let directory = create_below(root, id)?.0;
        if controller == Controller::CpuSet {
            fill_cpuset(root, &directory)?;
        }
        self.legacy.push(Legacy::new(root, controller, directory));
        Ok(true)
    }
}

impl Legacy {
    fn new(root: &Path, controller: Controller, directory: Directory) -> Self {
        let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { controllers: vec![controller], name, directory }
    }
}

fn build(layout: &Layout, id: &InstanceId, resources: &Resources, access: Devices) -> Result<Cgroup, Error> {
    let mut group = Cgroup { unified: None, legacy: Vec::new(), devices_restricted: false };
    if let Some(root) = layout.unified() {
        group.unified = Some(create_below(root, id)?.0);
    } else {
        // Version 1 only: the price of moving is paid in any case, so take what can suspend and account.
        for controller in [Controller::Freezer, Controller::CpuAcct, Controller::Memory] {
            group.join_legacy(layout, id, controller)?;
        }
    }
    limit(&mut group, layout, id, resources)?;
    if access == Devices::ContainerDefault {
        group.devices_restricted = restrict_devices(&mut group, layout, id)?;
    }
    Ok(group)
}

/// Applies a limit in version 1 or version 2.
type Apply<'a> = &'a dyn Fn(&Directory) -> Result<(), Error>;

fn limit(group: &mut Cgroup, layout: &Layout, id: &InstanceId, resources: &Resources) -> Result<(), Error> {
    let mut apply = |controller, option, v1: Apply<'_>, v2: Apply<'_>| {
        if group.join_legacy(layout, id, controller)? {
            return group.legacy(controller).map_or(Ok(()), v1);
        }
        match &group.unified {
            Some(unified) if enable(layout, unified, controller)? => v2(unified),
            _ => Err(Error::MissingController { controller, option }),
        }
    };
    if let Some(bytes) = resources.memory {
        let (v1, v2) = (|g: &Directory| memory::limit_v1(g, bytes), |g: &Directory| memory::limit_v2(g, bytes));
        apply(Controller::Memory, "--memory", &v1, &v2)?;
    }
    if let Some(millis) = resources.cpu_millis {
        let (v1, v2) = (|g: &Directory| cpu::limit_v1(g, millis), |g: &Directory| cpu::limit_v2(g, millis));
        apply(Controller::Cpu, "--cpus", &v1, &v2)?;
    }
    if let Some(cpus) = &resources.cpuset {
        let set = |g: &Directory| cpuset::limit(g, cpus);
        apply(Controller::CpuSet, "--cpuset-cpus", &set, &set)?;
    }
    if let Some(count) = resources.pids {
        let set = |g: &Directory| pids::limit(g, count);
        apply(Controller::Pids, "--pids-limit", &set, &set)?;
    }
    Ok(())
}

/// Prefers the eBPF filter, which needs no moving, to the version 1 controller.
fn restrict_devices(group: &mut Cgroup, layout: &Layout, id: &InstanceId) -> Result<bool, Error> {
    let filtered = group.unified.as_ref().map(devices::restrict_v2);
    if matches!(filtered, Some(Ok(()))) {
        return Ok(true);
    }
    if group.join_legacy(layout, id, Controller::Devices)? {
        group.legacy(Controller::Devices).map_or(Ok(()), devices::restrict_v1)?;
        return Ok(true);
    }
    Ok(false)
}

/// Makes the group, and the directory of all groups if this is the first one.
fn create_below(root: &Path, id: &InstanceId) -> Result<(Directory, Made), Error> {
    let parent = root.join(PARENT);
    let path = parent.join(id.as_str());
    match Directory::create(path.clone()) {
        Err(Error::Create { source, .. }) if source.raw_os_error() == Some(libc::ENOENT) => {
            Directory::create(parent)?;
            Directory::create(path)
        }
        other => other,
    }
}

/// Fills the cpuset of the directory of all groups and of this group from above.
fn fill_cpuset(root: &Path, group: &Directory) -> Result<(), Error> {
    let open = |path: std::path::PathBuf| Directory::create(path).map(|(directory, _)| directory);
    let (top, parent) = (open(root.to_owned())?, open(root.join(PARENT))?);
    cpuset::inherit_v1(&parent, &top)?;
    cpuset::inherit_v1(group, &parent)
}

/// Hands a version 2 controller down to our groups; false if the machine has it not.
fn enable(layout: &Layout, group: &Directory, controller: Controller) -> Result<bool, Error> {
    let has = |text: String| text.split_ascii_whitespace().any(|name| name == controller.name());
    if has(group.read("cgroup.controllers")?) {
        return Ok(true);
    }
    let Some(root) = layout.unified().filter(|_| layout.unified_controllers().contains(&controller)) else {
        return Ok(false);
    };
    for path in [root.to_owned(), root.join(PARENT)] {
        let directory = Directory::create(path)?.0;
        directory.write("cgroup.subtree_control", &format!("+{controller}"))?;
    }
    Ok(true)
}
