use std::process::Command;

use crate::args::{Format, PsArgs};
use crate::commands::{Context, groups, print};
use crate::error::Error;
use crate::state::Status;

/// Lists the processes of a container, as the host sees them.
pub(crate) fn ps(context: &Context, args: &PsArgs) -> Result<(), Error> {
    let entry = context.root.open(&args.id)?;
    let record = entry.record()?;
    let (status, first) = entry.status(Some(&record))?;
    if status == Status::Stopped {
        return Err(Error::NotRunning(args.id.to_string()));
    }
    let mut pids = groups::processes(&record)?;
    if pids.is_empty() {
        pids.extend(first.map(|process| process.pid));
    }
    match args.format {
        Format::Json => print(&format!("{pids:?}")),
        Format::Table => table(&pids, &args.options),
    }
}

/// ps(1)'s table, only with the lines of these processes.
fn table(pids: &[i32], options: &[String]) -> Result<(), Error> {
    let mut ps = Command::new("ps");
    if options.is_empty() {
        ps.arg("-ef")
    } else {
        ps.args(options)
    };
    let output = ps.output().map_err(|source| Error::System { action: "run ps", source })?;
    if !output.status.success() {
        let source = std::io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        return Err(Error::System { action: "list processes with ps", source });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let Some(column) = header.split_ascii_whitespace().position(|title| title == "PID") else {
        return Err(Error::Usage("the options of ps must show the column PID"));
    };
    let ours = |line: &&str| {
        let pid = line.split_ascii_whitespace().nth(column).and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    let shown: Vec<&str> = std::iter::once(header).chain(lines.filter(ours)).collect();
    print(&shown.join("\n"))
}
