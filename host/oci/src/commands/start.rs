use crate::commands::{Context, hooks};
use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Entry, Record, Status};

/// <https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#start>
pub(crate) fn start(context: &Context, id: &ContainerId) -> Result<(), Error> {
    let entry = context.root.open(id)?;
    let lock = entry.wait_lock()?;
    let record = entry.record()?;
    let Some(process) = record.process else { return Err(Error::Stopped(id.to_string())) };
    // Only the first process, or the supervisor of another level, listens there: whether it lives and waits need not be asked
    // beforehand.
    if let Err(error) = container::start(entry.path()) {
        return Err(match error {
            container::Error::StartSocket { .. } => refused(&entry, &record)?.unwrap_or(error.into()),
            other => other.into(),
        });
    }
    entry.started()?;
    if record.poststart {
        let spec = entry.spec(&record)?;
        entry.unlock(lock)?;
        hooks::poststart(context, &record, &spec, process.pid);
    }
    super::leave_to_exit(entry);
    Ok(())
}

/// Why nobody listens, unless it is for another reason.
fn refused(entry: &Entry, record: &Record) -> Result<Option<Error>, Error> {
    Ok(match entry.status(Some(record))?.0 {
        Status::Created => None,
        Status::Running | Status::Paused => Some(Error::Started(record.id.to_string())),
        _ => Some(Error::Stopped(record.id.to_string())),
    })
}
