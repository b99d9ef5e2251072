use crate::commands::{Context, groups, levels};
use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Level, Record, Status};

/// Suspends every process of a container.
pub(crate) fn pause(context: &Context, id: &ContainerId) -> Result<(), Error> {
    let (record, status) = status(context, id, "pause")?;
    match status {
        Status::Running | Status::Created => {
            groups::freeze(&record, true)?;
            levels::freeze(context.root.open(id)?.path(), &record, true)
        }
        status => Err(Error::Status { action: "pause", id: id.to_string(), status, wanted: "running or created" }),
    }
}

/// Lets them go on.
pub(crate) fn resume(context: &Context, id: &ContainerId) -> Result<(), Error> {
    let (record, status) = status(context, id, "resume")?;
    match status {
        Status::Paused => {
            levels::freeze(context.root.open(id)?.path(), &record, false)?;
            groups::freeze(&record, false)
        }
        status => Err(Error::Status { action: "resume", id: id.to_string(), status, wanted: "paused" }),
    }
}

fn status(context: &Context, id: &ContainerId, action: &'static str) -> Result<(Record, Status), Error> {
    let entry = context.root.open(id)?;
    let record = entry.record()?;
    if record.level == Level::Microvm {
        let reason =
            "its clock would stand still and its network connections break; use the container or unikernel level";
        return Err(Error::Level { level: "microVM", action, reason });
    }
    let (status, _) = entry.status(Some(&record))?;
    let alive = matches!(status, Status::Running | Status::Created);
    let status = if alive && groups::is_paused(&record)? { Status::Paused } else { status };
    Ok((record, status))
}
