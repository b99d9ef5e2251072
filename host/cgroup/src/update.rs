//! Changing the limits of groups with processes.

use oci_spec::runtime::LinuxResources;

use crate::files::{Directory, Made};
use crate::group::{Group, Warning};
use crate::layout::Layout;
use crate::resources::{self, Need};
use crate::{Controller, Error, devices, hierarchy, systemd};

impl Group {
    /// Changes the limits of a group. Fields that are not given stay; device rules that are given replace all of the present ones.
    ///
    /// # Errors
    /// As [`create`](Self::create). The fields before the one that was refused are changed.
    pub fn update(&self, resources: &LinuxResources) -> Result<Vec<Warning>, Error> {
        let needs = resources::needs(resources);
        if self.is_disabled()
            && let Some(need) = needs.iter().find(|need| need.is_required())
        {
            return Err(Error::Disabled { operation: need.field });
        }
        let layout = Layout::current()?;
        if let Some(unit) = self.path.unit() {
            systemd::update(layout, unit, resources)?;
        }
        hierarchy::enable(layout, self, &needs)?;
        let warnings = match needs.iter().any(|need| need.is_required() && self.find(need.controller).is_none()) {
            true => resources::apply(&self.joined(layout, &needs)?, resources)?,
            false => resources::apply(self, resources)?,
        };
        if resources.devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
            let rules = devices::Rules::of(Some(resources))?;
            match (&self.unified, self.legacy(Controller::Devices)) {
                (Some(unified), _) => devices::restrict_v2(layout, unified, &rules, Made::Existing)?,
                (None, Some(legacy)) => devices::restrict_v1(legacy, &rules)?,
                (None, None) => {}
            }
        }
        Ok(warnings)
    }

    /// The group with the version 1 hierarchies that further limits need; its processes are moved there.
    fn joined(&self, layout: &Layout, needs: &[Need]) -> Result<Self, Error> {
        let mut group = Self::open(&self.path)?;
        for need in needs.iter().filter(|need| need.is_required()) {
            if group.find(need.controller).is_none()
                && group.join_legacy(layout, need.controller)?
                && let Some(directory) = group.legacy(need.controller)
            {
                self.move_into(directory)?;
            }
        }
        Ok(group)
    }

    /// Moves all processes into one more directory, also those that are born meanwhile.
    fn move_into(&self, directory: &Directory) -> Result<(), Error> {
        const ROUNDS: usize = 100;
        for _ in 0..ROUNDS {
            let there = directory.processes();
            let missing: Vec<i32> = self.processes(true).into_iter().filter(|pid| !there.contains(pid)).collect();
            if missing.is_empty() {
                break;
            }
            for pid in missing {
                match directory.write("cgroup.procs", &pid.to_string()) {
                    // It has ended meanwhile.
                    Err(Error::Write { source, .. }) if source.raw_os_error() == Some(libc::ESRCH) => {}
                    moved => moved?,
                }
            }
        }
        Ok(())
    }
}
