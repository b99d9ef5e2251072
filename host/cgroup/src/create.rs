//! Making and opening groups.

use std::path::Path;

use oci_spec::runtime::LinuxResources;

use crate::files::{Directory, Made};
use crate::group::{Group, Legacy, Manager, Warning};
use crate::layout::Layout;
use crate::path::GroupPath;
use crate::resources::{self, Need};
use crate::systemd::{self, Placeholder};
use crate::{Controller, DevicePolicy, Error, cpuset, devices, hierarchy, remove};

impl Group {
    /// Makes a container's groups with these limits.
    ///
    /// `explicit` says that somebody chose the path and will look for it, as engines do: then every mounted version 1
    /// hierarchy gets a group, because they read statistics from the paths in /proc/PID/cgroup. Otherwise a process is in
    /// those hierarchies only that a limit needs.
    ///
    /// A caller who may not make the group gets one below its own (a delegated version 2 subtree), else a disabled one with a
    /// warning, if no limit was asked for.
    ///
    /// # Errors
    /// [`Error::MissingController`] for a limit that nothing here can enforce, [`Error::Field`] for a value that the kernel
    /// refuses, [`Error::NotEmpty`] for a group with processes. After an error nothing is left.
    pub fn create(
        path: &GroupPath,
        manager: Manager,
        resources: Option<&LinuxResources>,
        devices: DevicePolicy,
        explicit: bool,
    ) -> Result<Self, Error> {
        let needs = resources.map(resources::needs).unwrap_or_default();
        if manager == Manager::Disabled {
            return disabled(path, &needs);
        }
        let layout = Layout::current()?;
        let request = Request { layout, resources, needs: &needs, devices, explicit };
        if manager == Manager::Systemd {
            return request.build_unit(path);
        }
        match request.build(path.plain(), None) {
            Err(error) if is_forbidden(&error) && !needs.iter().any(Need::is_required) => {
                let below = hierarchy::below_own(layout, path);
                let own = below.and_then(|path| request.build(path, None).ok());
                own.map_or_else(|| Ok(without(path, error.to_string())), Ok)
            }
            other => other,
        }
    }

    /// Opens the groups that exist; a container that has none gives an empty one.
    ///
    /// # Errors
    /// [`Error::Read`] if a directory exists but cannot be opened.
    pub fn open(path: &GroupPath) -> Result<Self, Error> {
        let layout = Layout::current()?;
        let path = match path.unit() {
            Some(unit) => GroupPath::of_unit(unit.clone(), systemd::below(unit)?),
            None => path.clone(),
        };
        let mut group = Self { complete: true, ..Self::empty(path) };
        let path = group.path.clone();
        let at = |root: &Path| Directory::open(root.join(path.below()));
        group.unified = layout.unified().map(at).transpose()?.flatten();
        for controller in Controller::ALL {
            let Some(root) = layout.legacy(controller) else { continue };
            if !group.note_controller(root, controller) {
                group.legacy.extend(at(root)?.map(|directory| Legacy::new(root, controller, directory)));
            }
        }
        Ok(group)
    }

    /// Adds a controller to a hierarchy that the group is in already.
    fn note_controller(&mut self, root: &Path, controller: Controller) -> bool {
        let path = root.join(self.path.below());
        match self.legacy.iter_mut().find(|legacy| legacy.directory.path() == path) {
            Some(legacy) => {
                legacy.controllers.push(controller);
                true
            }
            None => false,
        }
    }

    /// Makes the group in the version 1 hierarchy of a controller; false if that is not mounted.
    pub(crate) fn join_legacy(&mut self, layout: &Layout, controller: Controller) -> Result<bool, Error> {
        let Some(root) = layout.legacy(controller) else { return Ok(false) };
        if self.legacy(controller).is_some() || self.note_controller(root, controller) {
            return Ok(true);
        }
        let (directory, _) = self.directory(root)?;
        self.legacy.push(Legacy::new(root, controller, directory));
        if controller == Controller::CpuSet {
            cpuset::fill_v1(root, self.path.below())?;
        }
        Ok(true)
    }
}

impl Group {
    /// The group's directory in one hierarchy, which must not have processes of others.
    fn directory(&self, root: &Path) -> Result<(Directory, Made), Error> {
        let (directory, made) = Directory::create_below(root, self.path.below())?;
        if made == Made::Existing && self.placeholder.is_none() {
            let count = directory.processes().len();
            if count > 0 {
                return Err(Error::NotEmpty { path: directory.path().to_owned(), count });
            }
        }
        Ok((directory, made))
    }

    /// Lets the placeholder go as soon as another process is in the scope.
    fn hold(&mut self) -> Result<(), Error> {
        let directory = self.unified.as_ref().or(self.legacy(Controller::Systemd));
        let Some(procs) = directory.map(|directory| directory.path().join("cgroup.procs")) else { return Ok(()) };
        let Some(placeholder) = &mut self.placeholder else { return Ok(()) };
        placeholder.hold(&procs).map_err(|source| Error::Watch { path: procs, source })
    }
}

/// What [`Group::create`] was asked for.
#[derive(Clone, Copy)]
struct Request<'a> {
    layout: &'a Layout,
    resources: Option<&'a LinuxResources>,
    needs: &'a [Need],
    devices: DevicePolicy,
    explicit: bool,
}

impl Request<'_> {
    /// Makes the group; a placeholder says that systemd has made it already.
    fn build(&self, path: GroupPath, placeholder: Option<Placeholder>) -> Result<Group, Error> {
        let mut group = Group { placeholder, ..Group::empty(path) };
        match self.fill(&mut group) {
            Ok(()) => Ok(group),
            Err(error) => {
                if !matches!(error, Error::NotEmpty { .. }) {
                    // The first error is the one to tell; what cannot be removed now is found later.
                    let _ = remove::remove_path(self.layout, group.path.below());
                }
                Err(error)
            }
        }
    }

    fn build_unit(&self, path: &GroupPath) -> Result<Group, Error> {
        let unit = path.to_unit().ok_or_else(|| Error::UnitPath { path: path.to_string() })?;
        let placeholder = systemd::start(self.layout, path, &unit, self.resources)?;
        let built = systemd::below(&unit).and_then(|below| {
            let path = GroupPath::of_unit(unit.clone(), below);
            let mut group = Request { explicit: true, ..*self }.build(path, Some(placeholder))?;
            group.hold()?;
            Ok(group)
        });
        // The first error is the one to tell.
        built.inspect_err(|_| drop(systemd::stop(&unit)))
    }

    fn fill(&self, group: &mut Group) -> Result<(), Error> {
        if let Some(root) = self.layout.unified() {
            let (directory, made) = group.directory(root)?;
            (group.unified, group.made) = (Some(directory), made);
            hierarchy::enable(self.layout, group, self.needs)?;
        }
        self.join(group)?;
        if let Some(resources) = self.resources {
            group.warnings = resources::apply(group, resources)?;
        }
        if let DevicePolicy::Rules = self.devices {
            group.devices_restricted = self.restrict_devices(group)?;
        }
        Ok(())
    }

    /// Joins version 1 hierarchies: those that a limit needs, and the others if somebody looks for them or if there is no
    /// version 2 to suspend and count.
    fn join(&self, group: &mut Group) -> Result<(), Error> {
        for need in self.needs.iter().filter(|need| need.is_required()) {
            group.join_legacy(self.layout, need.controller)?;
        }
        let basic: &[Controller] = &[Controller::Freezer, Controller::CpuAcct, Controller::Memory];
        let others = match (self.explicit, &group.unified) {
            (true, _) => &Controller::ALL[..],
            (false, None) => basic,
            (false, Some(_)) => &[],
        };
        for controller in others {
            match group.join_legacy(self.layout, *controller) {
                Err(error) if is_forbidden(&error) && group.unified.is_some() => {}
                other => other.map(drop)?,
            }
        }
        Ok(())
    }

    /// Prefers the eBPF filter, which needs no moving, to the version 1 controller.
    fn restrict_devices(&self, group: &mut Group) -> Result<bool, Error> {
        let rules = devices::Rules::of(self.resources)?;
        if let Some(unified) = &group.unified {
            match devices::restrict_v2(self.layout, unified, &rules, group.made) {
                Ok(()) => return Ok(true),
                Err(error) => {
                    group.warnings.push(Warning { field: "linux.resources.devices", reason: error.to_string() })
                }
            }
        }
        match group.join_legacy(self.layout, Controller::Devices) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) if is_forbidden(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
        group.legacy(Controller::Devices).map_or(Ok(()), |directory| devices::restrict_v1(directory, &rules))?;
        group.warnings.retain(|warning| warning.field != "linux.resources.devices");
        Ok(true)
    }
}

fn disabled(path: &GroupPath, needs: &[Need]) -> Result<Group, Error> {
    match needs.iter().find(|need| need.is_required()) {
        Some(need) => Err(Error::Disabled { operation: need.field }),
        None => Ok(Group::empty(path.clone())),
    }
}

fn without(path: &GroupPath, reason: String) -> Group {
    let mut group = Group::empty(path.clone());
    group.warnings.push(Warning { field: "linux.cgroupsPath", reason });
    group
}

/// Whether a directory could not be made for want of permission.
fn is_forbidden(error: &Error) -> bool {
    let Error::Create { source, .. } = error else { return false };
    matches!(source.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS))
}
