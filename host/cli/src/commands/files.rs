use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use engine::{CommitRequest, CopyEnd, CopyOptions, Engine, Error, UpdateRequest};

use super::each;
use crate::args::{CommitArgs, CpArgs, DiffArgs, ExportArgs, UpdateArgs};
use crate::output;

/// `coracle cp`.
pub(super) fn cp(engine: &Engine, args: &CpArgs) -> Result<ExitCode, Error> {
    if args.destination == CopyEnd::Stream {
        refuse_terminal()?;
    }
    let options = CopyOptions { archive: args.archive, follow: args.follow_link };
    engine.copy(&args.source, &args.destination, options)?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_terminal() -> Result<(), Error> {
    if std::io::stdout().is_terminal() {
        return Err(Error::Invalid("an archive is not for a terminal; use a pipe or a file".to_owned()));
    }
    Ok(())
}

/// `coracle diff`.
pub(super) fn diff(engine: &Engine, args: &DiffArgs) -> Result<ExitCode, Error> {
    let changes = engine.diff(&args.instance)?;
    if args.json {
        output::json(&changes);
    } else {
        changes.iter().for_each(|c| output::line(&format!("{} {}", c.kind.letter(), c.path.display())));
    }
    Ok(ExitCode::SUCCESS)
}

/// `coracle commit`.
pub(super) fn commit(engine: &Engine, args: &CommitArgs) -> Result<ExitCode, Error> {
    let request = CommitRequest {
        changes: args.change.clone(),
        author: args.author.clone(),
        message: args.message.clone(),
        pause: args.pause,
    };
    output::line(&engine.commit(&args.instance, &args.image, &request)?);
    Ok(ExitCode::SUCCESS)
}

/// `coracle export`.
pub(super) fn export(engine: &Engine, args: &ExportArgs) -> Result<ExitCode, Error> {
    let written = |e| Error::System("writing the archive", e);
    let Some(path) = &args.output else {
        refuse_terminal()?;
        engine.export(&args.instance, &mut std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    };
    // Only an archive that is whole gets the name.
    let mut fresh = path.clone().into_os_string();
    fresh.push(".new");
    let file = File::create(&fresh).map_err(written)?;
    let mut out = BufWriter::with_capacity(256 << 10, file);
    let done = engine.export(&args.instance, &mut out).and_then(|()| {
        out.flush().map_err(written)?;
        std::fs::rename(&fresh, path).map_err(written)
    });
    if done.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    done.map(|()| ExitCode::SUCCESS)
}

/// `coracle update`.
pub(super) fn update(engine: &Engine, args: &UpdateArgs) -> Result<ExitCode, Error> {
    let request = UpdateRequest {
        memory: args.memory,
        memory_swap: args.memory_swap,
        memory_reservation: args.memory_reservation,
        cpu_millis: args.cpus,
        cpu_shares: args.cpu_shares,
        cpuset: args.cpuset_cpus.clone(),
        cpuset_mems: args.cpuset_mems.clone(),
        pids: args.pids_limit,
        restart: args.restart,
    };
    each(&args.names.instances, |name| {
        engine.update(name, &request)?;
        output::line(name);
        Ok(())
    })
}
