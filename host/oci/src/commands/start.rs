use crate::commands::{Context, hooks, levels};
use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Level, Status};

/// <https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#start>
pub(crate) fn start(context: &Context, id: &ContainerId) -> Result<(), Error> {
    let entry = context.root.open(id)?;
    let lock = entry.wait_lock()?;
    let record = entry.record()?;
    let (status, process) = entry.status(Some(&record))?;
    let process = match (status, process) {
        (Status::Created, Some(process)) => process,
        (Status::Running | Status::Paused, _) => return Err(Error::Started(id.to_string())),
        _ => return Err(Error::Stopped(id.to_string())),
    };
    match record.level {
        Level::Container => container::start(entry.path())?,
        Level::Unikernel | Level::Microvm => levels::start(entry.path())?,
    }
    entry.started()?;
    if record.poststart {
        let spec = entry.spec(&record)?;
        entry.unlock(lock)?;
        hooks::poststart(context, &record, &spec, process.pid);
    }
    Ok(())
}
