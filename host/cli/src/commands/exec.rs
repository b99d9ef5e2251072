use std::process::ExitCode;

use engine::{Engine, Error, ExecRequest};

use crate::args::{AttachArgs, ExecArgs};

/// `coracle exec`.
pub(super) fn exec(engine: &Engine, args: ExecArgs) -> Result<ExitCode, Error> {
    let request = ExecRequest {
        command: args.command,
        env: args.env,
        workdir: args.workdir,
        user: args.user,
        interactive: args.interactive,
        terminal: args.tty,
        detach: args.detach,
    };
    Ok(ExitCode::from(engine.exec(&args.instance, &request)?.code()))
}

/// `coracle attach`.
pub(super) fn attach(engine: &Engine, args: &AttachArgs) -> Result<ExitCode, Error> {
    Ok(ExitCode::from(engine.attach(&args.instance, !args.no_stdin)?.code()))
}
