use std::process::ExitCode;

use engine::{Engine, Error};

use crate::args::{EventsArgs, Format};
use crate::output;

/// `coracle events`.
pub(super) fn events(engine: &Engine, args: &EventsArgs) -> Result<ExitCode, Error> {
    for event in engine.events(args.since, args.until, args.filter.clone())? {
        let event = event.map_err(|e| Error::System("reading the events", e))?;
        let written = match args.format {
            Format::Text => output::try_line(&event.to_string()),
            Format::Json => output::try_line(&output::compact(&event)),
        };
        // The reader went away: nobody would ever end this.
        if written.is_err() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
