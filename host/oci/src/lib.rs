//! The OCI runtime's command line, runc's with crun's additions.
//!
//! Engines (containerd, Docker, Podman, CRI-O, buildah) execute it once for each step of a container's life: `create`, `start`,
//! `kill`, `delete`. Between the steps a container is one directory `<root>/<id>` and its processes; there is no daemon.
//! The runtime specification's [operations](https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#operations)
//! are the modules of `commands`.

mod args;
mod bundle;
mod commands;
mod error;
mod id;
mod listen;
mod log;
mod names;
mod state;
mod sys;

use std::ffi::OsString;

use clap::Parser;

pub use crate::bundle::parse_config;
pub use crate::error::Error;
pub use crate::id::ContainerId;
pub use crate::state::{Record, Status};

use crate::args::Cli;
use crate::commands::Context;
use crate::log::Log;

/// The commands whose processes are seen from inside a container before they execute its program.
const ENTERING: [&str; 4] = ["create", "run", "exec", "restore"];

/// Does what the arguments say and returns the exit status.
pub fn main(arguments: Vec<OsString>) -> u8 {
    let code = command(&arguments);
    // What Rust's own entry point does at the end. Who has gone away needs it no more.
    let _ = std::io::Write::flush(&mut std::io::stdout());
    code
}

fn command(arguments: &[OsString]) -> u8 {
    // First of all, because the program starts anew; a descriptor of it that takes a closed stream's number is closed by that.
    let enters = arguments.iter().any(|argument| ENTERING.iter().any(|command| argument == command));
    let protected = if enters { container::protect_own_program(arguments, &[]) } else { Ok(()) };
    // A reader of our output who goes away gives an error, not an end in the middle of something.
    sys::ignore_sigpipe();
    sys::open_standard_streams();
    if let Err(error) = protected {
        Log::from_arguments(arguments).error(&format!("cannot protect the runtime's own program: {error}"));
        return 1;
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(arguments, &error),
    };
    let log = Log::new(&cli.globals);
    let context = Context::new(cli.globals, arguments.first());
    match commands::execute(&context, cli.command) {
        Ok(code) => code,
        Err(error) => {
            log.error(&error::chain(&error));
            error.exit_code()
        }
    }
}

/// Help and versions go to standard output with status 0; wrong usage is an error like any other, which engines look for
/// in the log file.
fn usage(arguments: &[OsString], error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        let _ = error.print();
        return 0;
    }
    let text = error.render().to_string();
    Log::from_arguments(arguments).error(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    1
}
