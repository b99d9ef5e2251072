mod files;
mod options;

use std::process::ExitCode;

use engine::{Engine, Error, RunOutcome, RunRequest};
use plan::Resources;

use crate::args::{Limits, RunArgs, Trace, VolumeArg};
use crate::output;

/// `coracle run`.
pub(super) fn run(engine: &Engine, args: RunArgs) -> Result<ExitCode, Error> {
    if args.tty && !args.detach && args.interactive && !Engine::stdin_is_terminal() {
        return Err(Error::Invalid("-it needs a terminal as standard input; leave out -t to use a pipe".to_owned()));
    }
    let detach = args.detach;
    let streams = super::control::streams(&args.streams, args.interactive);
    match engine.run(&request(args)?, detach, &streams)? {
        // With the detach keys.
        RunOutcome::Detached(_) if !detach => Ok(ExitCode::SUCCESS),
        RunOutcome::Detached(id) => {
            output::line(id.as_str());
            Ok(ExitCode::SUCCESS)
        }
        RunOutcome::Exited(status) => Ok(ExitCode::from(status.code())),
    }
}

/// `coracle create`.
pub(super) fn create(engine: &Engine, args: RunArgs) -> Result<ExitCode, Error> {
    if args.detach {
        return Err(Error::Invalid("-d is for `coracle run`: what is only made runs nowhere yet".to_owned()));
    }
    output::line(engine.create(&request(args)?)?.as_str());
    Ok(ExitCode::SUCCESS)
}

fn request(mut args: RunArgs) -> Result<RunRequest, Error> {
    let options = options::options(&mut args)?;
    let mut env = files::lines(&args.env_file)?;
    env.append(&mut args.env);
    let hosts = args.storage.volume.iter().filter_map(|volume| match volume {
        VolumeArg::Host(volume) => Some(volume.clone()),
        VolumeArg::Named(_) => None,
    });
    Ok(RunRequest {
        volumes: hosts.collect(),
        options,
        command: args.command,
        entrypoint: args.entrypoint,
        name: args.name,
        env,
        workdir: args.workdir,
        user: args.user,
        group_add: args.security.group_add,
        hostname: args.network.hostname,
        volumes_from: args.storage.volumes_from,
        publish: args.network.publish,
        publish_all: args.network.publish_all,
        network: args.network.network,
        resources: resources(&args.limits),
        read_only: args.storage.read_only,
        interactive: args.interactive,
        terminal: args.tty,
        auto_remove: args.rm,
        lifecycle: args.lifecycle.request(),
        stop_signal: args.stop_signal,
        platform: args.platform,
        trace_syscalls: args.trace == Some(Trace::Syscalls),
        ..RunRequest::new(args.isolation, &args.image)
    })
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
