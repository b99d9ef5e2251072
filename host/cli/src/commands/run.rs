use std::process::ExitCode;

use engine::{Engine, Error, RunOutcome, RunRequest};
use plan::Resources;

use crate::args::{Limits, RunArgs, Trace};
use crate::output;

/// `coracle run`.
pub(super) fn run(engine: &Engine, args: RunArgs) -> Result<ExitCode, Error> {
    if args.tty && !args.detach && args.interactive && !Engine::stdin_is_terminal() {
        return Err(Error::Invalid("-it needs a terminal as standard input; leave out -t to use a pipe".to_owned()));
    }
    let detach = args.detach;
    match engine.run(&request(args), detach)? {
        RunOutcome::Detached(id) => {
            output::line(id.as_str());
            Ok(ExitCode::SUCCESS)
        }
        RunOutcome::Exited(status) => Ok(ExitCode::from(status.code())),
    }
}

fn request(args: RunArgs) -> RunRequest {
    RunRequest {
        command: args.command,
        entrypoint: args.entrypoint,
        name: args.name,
        env: args.env,
        workdir: args.workdir,
        user: args.user,
        hostname: args.hostname,
        volumes: args.volume,
        publish: args.publish,
        network: args.network,
        resources: resources(&args.limits),
        read_only: args.read_only,
        interactive: args.interactive,
        terminal: args.tty,
        auto_remove: args.rm,
        lifecycle: args.lifecycle.request(),
        trace_syscalls: args.trace == Some(Trace::Syscalls),
        ..RunRequest::new(args.isolation, &args.image)
    }
}

/// The limits in the plan's terms.
pub(super) fn resources(limits: &Limits) -> Resources {
    Resources {
        memory: limits.memory,
        cpu_millis: limits.cpus,
        cpuset: limits.cpuset_cpus.clone(),
        pids: limits.pids_limit,
    }
}
