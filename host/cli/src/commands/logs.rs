use std::io::Write;
use std::process::ExitCode;

use engine::{Engine, Error, LogLine, LogOptions};

use crate::args::LogsArgs;

/// `coracle logs`: each stream goes where the program sent it.
pub(super) fn logs(engine: &Engine, args: &LogsArgs) -> Result<ExitCode, Error> {
    let options = LogOptions { follow: args.follow, since: args.since, until: args.until, tail: args.tail };
    for line in engine.logs(&args.instance, options)? {
        let line = line.map_err(|e| Error::System("reading the log", e))?;
        if print(&line, args.timestamps).is_err() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(line: &LogLine, timestamps: bool) -> std::io::Result<()> {
    let prefix = if timestamps { format!("{} ", line.time) } else { String::new() };
    let text = format!("{prefix}{}", line.log);
    match line.stream.as_str() {
        "stderr" => std::io::stderr().write_all(text.as_bytes()),
        _ => std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()),
    }
}
