//! One module for each group of commands.

mod compare;
mod control;
mod events;
mod exec;
mod files;
mod images;
mod instances;
mod logs;
mod run;
mod stats;
mod system;
mod volumes;

use std::process::ExitCode;

use clap::CommandFactory;
use engine::{Engine, Error, Paths};

use crate::args::{Cli, Command};

/// Carries the command out and gives the exit status.
pub(crate) fn execute(cli: Cli) -> Result<ExitCode, Error> {
    if let Command::Completion(args) = &cli.command {
        clap_complete::generate(args.shell, &mut Cli::command(), "coracle", &mut std::io::stdout());
        return Ok(ExitCode::SUCCESS);
    }
    let engine = Engine::open(paths(&cli)?);
    match cli.command {
        Command::Run(args) => run::run(&engine, *args),
        Command::Create(args) => run::create(&engine, *args),
        Command::Start(args) => control::start(&engine, &args),
        Command::Restart(args) => control::restart(&engine, &args),
        Command::Pause(names) => control::pause(&engine, &names),
        Command::Unpause(names) => control::unpause(&engine, &names),
        Command::Rename(args) => control::rename(&engine, &args),
        Command::Top(args) => control::top(&engine, &args),
        Command::Port(args) => control::port(&engine, &args),
        Command::Update(args) => files::update(&engine, &args),
        Command::Cp(args) => files::cp(&engine, &args),
        Command::Diff(args) => files::diff(&engine, &args),
        Command::Commit(args) => files::commit(&engine, &args),
        Command::Export(args) => files::export(&engine, &args),
        Command::Stats(args) => stats::stats(&engine, &args),
        Command::Events(args) => events::events(&engine, &args),
        Command::Ps(args) => instances::ps(&engine, &args),
        Command::Logs(args) => logs::logs(&engine, &args),
        Command::Inspect(names) => instances::inspect(&engine, &names),
        Command::Stop(args) => instances::stop(&engine, &args),
        Command::Kill(args) => instances::kill(&engine, &args),
        Command::Rm(args) => instances::rm(&engine, &args),
        Command::Wait(names) => instances::wait(&engine, &names),
        Command::Exec(args) => exec::exec(&engine, args),
        Command::Attach(args) => exec::attach(&engine, &args),
        Command::Image(command) => images::image(&engine, command),
        Command::Volume(command) => volumes::volume(&engine, command),
        Command::Compare(args) => compare::compare(&engine, args),
        Command::Kernel(command) => system::kernel(&engine, command),
        Command::System(command) => system::system(&engine, command),
        Command::Completion(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Where the state is. A user without root becomes root in a user namespace first.
fn paths(cli: &Cli) -> Result<Paths, Error> {
    let is_root = rustix::process::geteuid().is_root();
    let paths = match &cli.root {
        Some(root) => Paths::below(&std::path::absolute(root).map_err(|e| Error::System("resolving --root", e))?),
        None if is_root => return Ok(Paths::system()),
        None => Paths::of_user()?,
    };
    if is_root {
        return Ok(paths);
    }
    engine::enter_user_namespace(&paths, cli.command.joins())?;
    Ok(paths.rootless())
}

/// Does the same with each name. Goes on after an error, and leaves with 1 if there was one.
fn each(names: &[String], mut action: impl FnMut(&str) -> Result<(), Error>) -> Result<ExitCode, Error> {
    let mut failed = false;
    for name in names {
        if let Err(error) = action(name) {
            eprintln!("coracle: {}", engine::chain(&error));
            failed = true;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
