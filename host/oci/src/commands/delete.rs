use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use crate::commands::{Context, groups, hooks, levels};
use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Entry, Level, Process, Record, Status};

/// How long a killed process may take to end.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// <https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#delete>
///
/// `force` ends the container first, cleans up what a killed command or a damaged state file left, and is content if there
/// is nothing.
pub(crate) fn delete(context: &Context, id: &ContainerId, force: bool) -> Result<(), Error> {
    let entry = match context.root.open(id) {
        Err(Error::NoContainer(_)) if force => return Ok(()),
        other => other?,
    };
    let _lock = entry.wait_lock()?;
    match entry.read() {
        Ok(Some(record)) => delete_known(context, id, &entry, record, force),
        // Its creator was killed before it made anything.
        Ok(None) => entry.remove(),
        Err(Error::NoContainer(_)) if force => Ok(()),
        Err(error @ Error::DamagedState { .. }) if force => {
            context.log.debug(|| crate::error::chain(&error));
            groups::remove_default(id)?;
            entry.remove()
        }
        Err(error) => Err(error),
    }
}

fn delete_known(context: &Context, id: &ContainerId, entry: &Entry, record: Record, force: bool) -> Result<(), Error> {
    let (status, process) = entry.status(Some(&record))?;
    if status != Status::Stopped && !force {
        let (action, wanted) = ("delete", "stopped; use --force to end it first");
        return Err(Error::Status { action, id: id.to_string(), status, wanted });
    }
    if let Some(process) = process {
        end(&record, &process)?;
    }
    finish(context, entry, &record)
}

/// Removes everything of a container whose first process has ended.
pub(crate) fn finish(context: &Context, entry: &Entry, record: &Record) -> Result<(), Error> {
    // Parsed before it is removed, run after.
    let spec = if record.poststop { Some(entry.spec(record)?) } else { None };
    match record.level {
        Level::Container => groups::remove(record)?,
        Level::Unikernel | Level::Microvm => levels::remove(entry.path(), record)?,
    }
    entry.remove()?;
    if let Some(spec) = spec {
        hooks::poststop(context, record, &spec);
    }
    Ok(())
}

fn end(record: &Record, process: &Process) -> Result<(), Error> {
    let error = |source| Error::System { action: "end the container's first process", source };
    process.signal(Signal::KILL.as_raw()).map_err(error)?;
    groups::thaw(record)?;
    let timeout = Timespec { tv_sec: KILL_LIMIT.as_secs().cast_signed(), tv_nsec: 0 };
    let mut ended = [PollFd::from_borrowed_fd(process.pidfd(), PollFlags::IN)];
    match rustix::io::retry_on_intr(|| poll(&mut ended, Some(&timeout))) {
        Ok(0) => Err(error(rustix::io::Errno::TIMEDOUT.into())),
        Ok(_) => Ok(()),
        Err(errno) => Err(error(errno.into())),
    }
}
