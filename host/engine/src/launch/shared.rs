//! The containers whose namespaces a new one enters.

use std::path::PathBuf;

use plan::options::{IpcMode, PidMode};
use plan::{InstanceId, LaunchPlan, NetworkMode};

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
