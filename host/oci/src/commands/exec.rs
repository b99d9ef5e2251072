use std::collections::HashSet;

use container::{ExecOptions, Io, Target};
use oci_spec::runtime::{Capability, ContainerState, LinuxCapabilities, Process, Spec};

use crate::args::ExecArgs;
use crate::bundle::parse_process;
use crate::commands::foreground::Foreground;
use crate::commands::{Context, groups, hooks, terminal};
use crate::error::Error;
use crate::listen;
use crate::state::{Level, Status};

/// Runs a further program in a container.
pub(crate) fn exec(context: &Context, args: &ExecArgs) -> Result<u8, Error> {
    let entry = context.root.open(&args.id)?;
    let record = entry.record()?;
    refuse_level(record.level)?;
    let (status, first) = entry.status(Some(&record))?;
    let first = match (status, first) {
        (Status::Created | Status::Running, Some(first)) => first,
        _ => return Err(Error::NotRunning(args.id.to_string())),
    };
    let group = groups::open_for_exec(&record, &args.cgroup)?;
    if !args.ignore_paused && group.frozen() {
        return Err(Error::Paused);
    }
    let spec = entry.spec(&record)?;
    let process = process(args, &spec)?;
    let mut foreground = if args.detach { None } else { Some(Foreground::prepare(false)?) };
    let io = io(args, process.terminal().unwrap_or(false), foreground.as_mut())?;
    let target = Target { pid: first.pid, pidfd: first.pidfd(), spec: &spec, cgroup: &group };
    let listen_fds = listen::count();
    let preserve_fds = args.preserve_fds.saturating_add(listen_fds);
    container::warnings(&process).into_iter().for_each(|warning| context.log.debug(|| warning));
    let state = hooks::state(&record, ContainerState::Running, Some(first.pid));
    let options = ExecOptions { preserve_fds, listen_fds, state: state.as_ref(), ..ExecOptions::default() };
    let running = container::exec(&target, &process, io, &options)?;
    terminal::announce(running.pid(), running.pidfd(), args.pid_file.as_deref(), args.pidfd_socket.as_deref())?;
    match foreground {
        // With a console socket the terminal is somebody else's to serve, but the status is still waited for.
        Some(foreground) => Ok(foreground.attend(running.pid(), running.pidfd())?.code()),
        None => Ok(0),
    }
}

fn refuse_level(level: Level) -> Result<(), Error> {
    let (level, reason) = match level {
        Level::Container => return Ok(()),
        Level::Unikernel => ("unikernel", "it is one program and its kernel; run the program as a container instead"),
        Level::Microvm => ("microVM", "its guest runs the one program it was started with; use the container level"),
    };
    Err(Error::Level { level, action: "run a further program", reason })
}

fn io(args: &ExecArgs, terminal: bool, foreground: Option<&mut Foreground>) -> Result<Io, Error> {
    match (&args.console_socket, terminal, foreground) {
        (Some(path), true, _) => Ok(Io::ConsoleSocket(terminal::connect(path)?)),
        (Some(_), false, _) => Err(Error::NoTerminal),
        (None, true, Some(foreground)) => Ok(Io::ConsoleSocket(foreground.console()?)),
        (None, true, None) => Err(Error::NoConsoleSocket),
        (None, false, _) => Ok(Io::Inherit),
    }
}

/// The process to run: the file's, or the container's own with the flags' changes.
fn process(args: &ExecArgs, spec: &Spec) -> Result<Process, Error> {
    if let Some(file) = &args.process {
        return parse_process(file);
    }
    if args.command.is_empty() {
        return Err(Error::Usage("no program to run: give one after the container's name, or --process FILE"));
    }
    let mut process = spec.process().clone().unwrap_or_default();
    process.set_args(Some(args.command.clone())).set_terminal(Some(args.tty));
    if let Some(cwd) = &args.cwd {
        process.set_cwd(cwd.clone());
    }
    if !args.env.is_empty() {
        process.set_env(Some(merged(process.env().clone().unwrap_or_default(), &args.env)));
    }
    set_user(&mut process, args);
    if !args.cap.is_empty() {
        let capabilities = with_capabilities(process.capabilities().clone(), &args.cap);
        process.set_capabilities(Some(capabilities));
    }
    if args.no_new_privs {
        process.set_no_new_privileges(Some(true));
    }
    if args.apparmor.is_some() {
        process.set_apparmor_profile(args.apparmor.clone());
    }
    if args.process_label.is_some() {
        process.set_selinux_label(args.process_label.clone());
    }
    Ok(process)
}

/// A variable that is given replaces the container's.
fn merged(mut env: Vec<String>, given: &[String]) -> Vec<String> {
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let names: HashSet<String> = given.iter().map(|variable| name(variable)).collect();
    env.retain(|variable| !names.contains(&name(variable)));
    env.extend(given.iter().cloned());
    env
}

fn set_user(process: &mut Process, args: &ExecArgs) {
    let user = process.user_mut();
    if let Some(given) = args.user {
        user.set_uid(given.uid);
        if let Some(gid) = given.gid {
            user.set_gid(gid);
        }
    }
    if !args.additional_gids.is_empty() {
        let mut gids = user.additional_gids().clone().unwrap_or_default();
        gids.extend(&args.additional_gids);
        user.set_additional_gids(Some(gids));
    }
}

fn with_capabilities(own: Option<LinuxCapabilities>, added: &[Capability]) -> LinuxCapabilities {
    // Without a field in the configuration there is none; the model's default would be three.
    let mut capabilities = own.unwrap_or_else(|| {
        let mut none = LinuxCapabilities::default();
        none.set_bounding(None).set_effective(None).set_inheritable(None).set_permitted(None).set_ambient(None);
        none
    });
    let with = |set: &Option<HashSet<Capability>>| {
        Some(set.iter().flatten().copied().chain(added.iter().copied()).collect::<HashSet<_>>())
    };
    let (bounding, effective, permitted) =
        (with(capabilities.bounding()), with(capabilities.effective()), with(capabilities.permitted()));
    capabilities.set_bounding(bounding).set_effective(effective).set_permitted(permitted);
    capabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_variable_replaces() {
        let env = merged(vec!["A=1".into(), "B=2".into(), "AB=3".into()], &["A=9".into()]);
        assert_eq!(env, ["B=2", "AB=3", "A=9"]);
    }

    #[test]
    fn capabilities_are_added_to_what_is_there() {
        let capabilities = with_capabilities(None, &[Capability::NetRaw]);
        assert_eq!(capabilities.effective().as_ref().map(HashSet::len), Some(1));
        assert_eq!(capabilities.ambient(), &None);
    }
}
