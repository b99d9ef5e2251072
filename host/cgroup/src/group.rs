use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::files::{Directory, Field, Made};
use crate::path::GroupPath;
use crate::systemd::Placeholder;
use crate::{Controller, Error};

/// Who makes control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manager {
    /// We do, in the file system of cgroups(7).
    #[default]
    Cgroupfs,
    /// systemd does, as a transient scope.
    Systemd,
    /// Nobody: the container stays in its caller's group.
    Disabled,
}

/// Something that was asked for and is not done, although the container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The field of the configuration, or what was to be done.
    pub field: &'static str,
    /// Why it is not done.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ignored: {}", self.field, self.reason)
    }
}

/// The control groups of one container, in every hierarchy that it needs.
#[derive(Debug)]
pub struct Group {
    pub(crate) path: GroupPath,
    pub(crate) unified: Option<Directory>,
    pub(crate) legacy: Vec<Legacy>,
    pub(crate) devices_restricted: bool,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) placeholder: Option<Placeholder>,
    /// Whether the directories are all that there are.
    pub(crate) complete: bool,
    /// Whether the version 2 directory was made by this value.
    pub(crate) made: Made,
}

/// The group in one version 1 hierarchy, which may hold several controllers.
#[derive(Debug)]
pub(crate) struct Legacy {
    pub(crate) controllers: Vec<Controller>,
    /// The name of the hierarchy's mount point, for example `memory` or `cpu,cpuacct`.
    name: String,
    pub(crate) directory: Directory,
}

/// Where a controller's files are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    V1(&'a Directory),
    V2(&'a Directory),
}

impl Group {
    pub(crate) fn empty(path: GroupPath) -> Self {
        Self {
            path,
            unified: None,
            legacy: Vec::new(),
            devices_restricted: false,
            warnings: Vec::new(),
            placeholder: None,
            made: Made::Existing,
            complete: false,
        }
    }

    /// Where the group is. Not always the path that was asked for: a caller without privileges gets a group below its own.
    pub fn path(&self) -> &GroupPath {
        &self.path
    }

    /// What was asked for and is not done.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether there is no group at all ([`Manager::Disabled`], or no permission to make one).
    pub fn is_disabled(&self) -> bool {
        self.unified.is_none() && self.legacy.is_empty()
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
    /// Each move waits for a grace period of the whole machine. [`mover`](Self::mover) does not.
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

    /// Whether the device rules are in force. A machine may offer neither kind of filter.
    pub fn devices_restricted(&self) -> bool {
        self.devices_restricted
    }

    /// The group's directory in each hierarchy: the name of the mount point (none for version 2) and the directory.
    pub fn directories(&self) -> impl Iterator<Item = (Option<&str>, &Path)> {
        let unified = self.unified.iter().map(|directory| (None, directory.path()));
        unified.chain(self.legacy.iter().map(|legacy| (Some(legacy.name.as_str()), legacy.directory.path())))
    }

    /// The group's directory for each controller, as runtimes write it into their state files: version 2 has the empty name.
    pub fn paths(&self) -> BTreeMap<String, PathBuf> {
        let unified = self.unified.iter().map(|directory| (String::new(), directory.path().to_owned()));
        let legacy = self.legacy.iter().flat_map(|legacy| {
            let path = legacy.directory.path();
            legacy.controllers.iter().map(move |controller| (controller.name().to_owned(), path.to_owned()))
        });
        unified.chain(legacy).collect()
    }

    pub(crate) fn legacy(&self, controller: Controller) -> Option<&Directory> {
        let legacy = self.legacy.iter().find(|legacy| legacy.controllers.contains(&controller))?;
        Some(&legacy.directory)
    }

    /// Where a controller's files are, if this group has them.
    pub(crate) fn find(&self, controller: Controller) -> Option<Place<'_>> {
        if let Some(directory) = self.legacy(controller) {
            return Some(Place::V1(directory));
        }
        let name = controller.unified_name()?;
        let unified = self.unified.as_ref()?;
        let controllers = unified.read("cgroup.controllers").ok()?;
        controllers.split_ascii_whitespace().any(|own| own == name).then_some(Place::V2(unified))
    }

    pub(crate) fn place(&self, controller: Controller, option: Field) -> Result<Place<'_>, Error> {
        self.find(controller).ok_or(Error::MissingController { controller, option })
    }
}

impl Legacy {
    pub(crate) fn new(root: &Path, controller: Controller, directory: Directory) -> Self {
        let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { controllers: vec![controller], name, directory }
    }
}

/// Moves the calling process into a group's version 1 hierarchies, without the wait of [`Group::move_born`].
///
/// A process that moves itself, and has one thread, changes nobody else: so the kernel takes no lock that waits for a grace period
/// of the whole machine (`cgroup_procs_write_start` and "tasks" of cgroups.rst). The files are opened beforehand, because
/// permission is checked there: the child may have given up its privileges, and does not see the files any more.
#[derive(Debug)]
pub struct Mover {
    tasks: Vec<OwnedFd>,
}

impl Group {
    /// What the container's first process needs to move itself.
    ///
    /// # Errors
    /// [`Error::Read`] if a file cannot be opened.
    pub fn mover(&self) -> Result<Mover, Error> {
        let tasks = self.legacy.iter().map(|legacy| legacy.directory.open_for_writing("tasks"));
        Ok(Mover { tasks: tasks.collect::<Result<_, _>>()? })
    }
}

impl Mover {
    /// Moves the calling thread: all of a process only if it has no other.
    ///
    /// # Errors
    /// The kernel's answer, for example EINVAL for a cpuset without CPUs.
    pub fn move_self(&self) -> std::io::Result<()> {
        for file in &self.tasks {
            rustix::io::retry_on_intr(|| rustix::io::write(file, b"0"))?;
        }
        Ok(())
    }
}
