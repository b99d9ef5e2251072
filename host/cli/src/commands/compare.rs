use std::process::ExitCode;

use compare::{Level, Options};
use engine::{Engine, Error, RunRequest};
use indicatif::ProgressBar;

use super::run::resources;
use crate::args::CompareArgs;
use crate::output;

/// `coracle compare`.
pub(super) fn compare(engine: &Engine, args: CompareArgs) -> Result<ExitCode, Error> {
    let invalid = |error: compare::Error| Error::Invalid(engine::chain(&error));
    let levels: Result<Vec<Level>, _> = args.levels.iter().map(|text| text.parse()).collect();
    let mut levels = levels.map_err(invalid)?;
    if levels.is_empty() {
        levels = Level::ALL.to_vec();
    }
    let mut request = RunRequest::new(plan::Isolation::Container, &args.image);
    request.command = command(engine, &args)?;
    request.resources = resources(&args.limits);
    let options = Options {
        request,
        levels,
        rounds: args.rounds.max(1),
        requests: args.requests.max(1),
        connections: args.connections.max(1),
        port: args.port,
    };
    let bar = ProgressBar::new_spinner();
    let report = compare::run(engine, &options, |what| {
        bar.set_message(what.to_owned());
        bar.tick();
    });
    bar.finish_and_clear();
    let report = report.map_err(invalid)?;
    if args.json {
        output::json(&report)
    } else {
        output::line(&report.table())
    }
    Ok(if report.failures().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The host runs the same command, so it must be known here and not only in the image.
fn command(engine: &Engine, args: &CompareArgs) -> Result<Vec<String>, Error> {
    if !args.command.is_empty() {
        return Ok(args.command.clone());
    }
    let reference = args.image.parse()?;
    let config = engine.images()?.resolve(&reference)?.config;
    Ok([config.entrypoint, config.cmd].concat())
}
