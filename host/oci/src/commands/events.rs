use crate::args::EventsArgs;
use crate::commands::Context;
use crate::error::Error;

/// Prints statistics.
pub(crate) fn events(_: &Context, _: &EventsArgs) -> Result<(), Error> {
    Ok(())
}
