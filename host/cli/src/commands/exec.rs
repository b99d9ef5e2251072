use std::process::ExitCode;

use engine::{Engine, Error, ExecRequest};

use super::control::streams;
use crate::args::{AttachArgs, ExecArgs};

/// `coracle exec`.
pub(super) fn exec(engine: &Engine, args: ExecArgs) -> Result<ExitCode, Error> {
    if args.tty && args.interactive && !Engine::stdin_is_terminal() {
        return Err(Error::Invalid("-it needs a terminal as standard input; leave out -t to use a pipe".to_owned()));
    }
    let request = ExecRequest {
        command: args.command,
        env: args.env,
        workdir: args.workdir,
        user: args.user,
        interactive: args.interactive,
        terminal: args.tty,
        detach: args.detach,
        privileged: args.privileged,
        detach_keys: args.detach_keys,
    };
    Ok(ExitCode::from(engine.exec(&args.instance, &request)?.code()))
}

/// `coracle attach`.
pub(super) fn attach(engine: &Engine, args: &AttachArgs) -> Result<ExitCode, Error> {
    let status = engine.attach(&args.instance, &streams(&args.streams, !args.no_stdin))?;
    Ok(status.map_or(ExitCode::SUCCESS, |status| ExitCode::from(status.code())))
}
