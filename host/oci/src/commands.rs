//! One module for each command, named as in the specification's list of operations.

mod create;
mod criu;
mod delete;
mod events;
mod exec;
mod features;
mod foreground;
mod groups;
mod hooks;
mod kill;
mod levels;
mod list;
mod pause;
mod ps;
mod rdt;
mod relay;
mod run;
mod spec;
mod start;
mod state;
mod terminal;
mod update;

use std::ffi::OsString;

use clap::CommandFactory;

use crate::args::{Cli, Command, Globals};
use crate::error::Error;
use crate::log::Log;
use crate::state::{Level, Root};

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) root: Root,
    pub(crate) log: Log,
    /// The level that the program's name asks for.
    pub(crate) level: Option<Level>,
}

impl Context {
    pub(crate) fn new(globals: Globals, program: Option<&OsString>) -> Self {
        Self {
            root: Root::new(globals.root.clone()),
            log: Log::new(&globals),
            level: program.and_then(|name| levels::by_program_name(name)),
            globals,
        }
    }
}

/// Runs one command. The exit status is the program's own for `run` and `exec` in the foreground.
pub(crate) fn execute(context: &Context, command: Command) -> Result<u8, Error> {
    match command {
        Command::Create(args) => create::create(context, &args)?,
        Command::Start(args) => start::start(context, &args.id)?,
        Command::State(args) => state::state(context, &args.id)?,
        Command::Kill(args) => kill::kill(context, &args)?,
        Command::Delete(args) => delete::delete(context, &args.id, args.force)?,
        Command::Exec(args) => return exec::exec(context, &args).map_err(|error| Error::Exec(Box::new(error))),
        Command::Run(args) => return run::run(context, &args),
        Command::Ps(args) => ps::ps(context, &args)?,
        Command::List(args) => list::list(context, &args)?,
        Command::Pause(args) => pause::pause(context, &args.id)?,
        Command::Resume(args) => pause::resume(context, &args.id)?,
        Command::Update(args) => update::update(context, &args)?,
        Command::Events(args) => events::events(context, &args)?,
        Command::Features => features::features()?,
        Command::Spec(args) => spec::spec(&args)?,
        Command::Checkpoint(args) => criu::checkpoint(context, &args)?,
        Command::Restore(args) => return criu::restore(context, &args),
        Command::Completion(args) => {
            clap_complete::generate(args.shell, &mut Cli::command(), "coracle-oci", &mut std::io::stdout());
        }
    }
    Ok(0)
}

/// Leaves what is open to the end of the process, which comes next and closes everything at once.
fn leave_to_exit<T>(value: T) {
    std::mem::forget(value);
}

/// Prints a line to standard output; a closed pipe is an error like any other.
fn print(text: &str) -> Result<(), Error> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|source| Error::System { action: "write to standard output", source })
}
