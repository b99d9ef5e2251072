//! The containers whose namespaces a new one enters.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use plan::options::{IpcMode, PidMode};
use plan::{InstanceId, LaunchPlan, NetworkMode};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags};
use rustix::thread::LinkNameSpaceType;

use crate::{Error, Instances, Paths};

/// What a plan shares with others; `None` where it has its own.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) network: Option<Other>,
    pub(crate) pid: Option<Other>,
    pub(crate) ipc: Option<Other>,
}

/// Another container.
#[derive(Debug)]
pub(crate) struct Other {
    /// Its first process.
    pub(crate) process: i32,
    /// Its directory.
    pub(crate) dir: PathBuf,
}

impl Other {
    /// Shows its /dev/shm at a place of the host for a moment, from where a bind mount can be made. Only from inside of its
    /// mount namespace can it be copied.
    pub(crate) fn shared_memory(&self, place: PathBuf) -> Result<SharedMemory, Error> {
        let error = |e: rustix::io::Errno| Error::System("sharing the other container's /dev/shm", e.into());
        let open = |path: &str| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(error);
        let (own, theirs) = (open("/proc/self/ns/mnt")?, open(&format!("/proc/{}/ns/mnt", self.process))?);
        let enter = |namespace: &OwnedFd| {
            rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
        };
        enter(&theirs).map_err(error)?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let copy = rustix::mount::open_tree(CWD, "/dev/shm", flags);
        if let Err(errno) = enter(&own) {
            // The kernel has no reason to refuse. If it does, nothing that this process does next can be right.
            eprintln!("cannot return to the host's mounts: {errno}");
            std::process::abort();
        }
        let copy = copy.map_err(error)?;
        std::fs::create_dir(&place).map_err(Error::file("creating", &place))?;
        let shown = SharedMemory(place);
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(&copy, "", CWD, &shown.0, flags).map_err(error)?;
        Ok(shown)
    }
}

/// A mount of another container's /dev/shm on the host, until it is dropped.
#[derive(Debug)]
pub(crate) struct SharedMemory(PathBuf);

impl SharedMemory {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
        let _ = std::fs::remove_dir(&self.0);
    }
}

impl Shared {
    /// Looks the others up, which must run.
    pub(crate) fn find(paths: &Paths, plan: &LaunchPlan) -> Result<Self, Error> {
        let find = |id: &str| other(paths, id).map(Some);
        Ok(Self {
            network: match &plan.network.mode {
                NetworkMode::Container(id) => find(id)?,
                _ => None,
            },
            pid: match &plan.options.pid {
                PidMode::Container(id) => find(id)?,
                _ => None,
            },
            ipc: match &plan.options.ipc {
                IpcMode::Container(id) => find(id)?,
                _ => None,
            },
        })
    }
}

fn other(paths: &Paths, id: &str) -> Result<Other, Error> {
    let missing = || Error::NoInstance(id.to_owned());
    let id: InstanceId = id.parse().map_err(|_| missing())?;
    let instance = Instances::open(paths).load(&id)?;
    // The start time tells it from a later process with the same number.
    match instance.record.process.as_ref().filter(|process| process.is_alive()) {
        Some(process) => Ok(Other { process: process.pid, dir: instance.dir().to_owned() }),
        None => Err(Error::WrongState {
            name: instance.plan.name.clone(),
            state: instance.health.word(),
            hint: "its namespaces end with it; start it first",
        }),
    }
}
