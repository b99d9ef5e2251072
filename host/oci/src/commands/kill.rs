use rustix::process::Signal;

use crate::args::KillArgs;
use crate::commands::{Context, groups, levels};
use crate::error::Error;

/// <https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#kill>
pub(crate) fn kill(context: &Context, args: &KillArgs) -> Result<(), Error> {
    let entry = context.root.open(&args.id)?;
    let record = entry.record()?;
    let (_, process) = entry.status(Some(&record))?;
    let signal_error = |source| Error::System { action: "send the signal", source };
    let not_running = || Error::NotRunning(args.id.to_string());
    if args.all {
        // The first process may have ended while others of its group, in a shared process namespace, have not.
        let reached = groups::signal_all(&record, args.signal)?;
        match (reached, process) {
            (true, _) => {}
            (false, Some(process)) if process.signal(args.signal).map_err(signal_error)? => {}
            (false, _) => return Err(not_running()),
        }
    } else if !process.ok_or_else(not_running)?.signal(args.signal).map_err(signal_error)? {
        return Err(not_running());
    }
    // A version 1 freezer holds even SIGKILL back.
    if args.signal == Signal::KILL.as_raw() {
        groups::thaw(&record)?;
        levels::kill(entry.path(), &record)?;
    }
    Ok(())
}
