//! `coracle`: the command line. It turns flags into requests to the engine and prints what comes back; the work is the
//! engine's.

mod args;
mod commands;
mod output;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;

/// musl's own allocator maps and unmaps memory for every few objects: half of the system calls of a start.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The commands whose processes are seen from inside a container before they execute its program.
const ENTERING: [&str; 4] = ["run", "start", "restart", "exec"];

fn main() -> ExitCode {
    if std::env::args_os().any(|argument| ENTERING.iter().any(|command| argument == *command))
        && let Err(error) = engine::protect_own_program()
    {
        eprintln!("coracle: cannot protect this program's own file: {error}");
        return ExitCode::from(125);
    }
    // Usage errors leave with 125 as Docker's do: 1 and 2 are the program's to use.
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let code = if error.use_stderr() { 125 } else { 0 };
        let _ = error.print();
        std::process::exit(code)
    });
    match commands::execute(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("coracle: {}", engine::chain(&error));
            ExitCode::from(error.exit_code())
        }
    }
}
