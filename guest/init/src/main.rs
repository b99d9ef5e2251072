//! The first process of a container that was started with `--init`: `coracle-init -- PROGRAM ARGUMENT…`.
//!
//! It starts the program as its child, passes every signal on to it, collects the orphans that the kernel gives to process 1,
//! and ends with the program's exit status (128 + n if signal n ended it).
//!
//! Nothing of the container's is trusted or read; the program's environment and streams are the init's own.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

mod signals;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (dashes, program) = (args.next(), args.next());
    let (true, Some(program)) = (dashes.is_some_and(|word| word == "--"), program) else {
        eprintln!("usage: coracle-init -- PROGRAM [ARGUMENT…]");
        return ExitCode::from(125);
    };
    signals::block();
    let rest: Vec<OsString> = args.collect();
    match signals::unblocked(Command::new(&program).args(rest).process_group(0)).spawn() {
        Ok(child) => {
            let pid = child.id() as i32;
            signals::give_terminal(pid);
            ExitCode::from(watch(pid))
        }
        Err(error) => {
            eprintln!("coracle-init: {}: {error}", program.display());
            ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
        }
    }
}

/// Passes signals on until the program has ended, and gives its exit status.
fn watch(program: i32) -> u8 {
    loop {
        let signal = signals::wait();
        if signal != libc::SIGCHLD {
            signals::send(program, signal);
            continue;
        }
        // One signal may stand for several children.
        while let Some((pid, code)) = signals::reap() {
            if pid == program {
                return code;
            }
        }
    }
}
