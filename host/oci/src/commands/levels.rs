//! The isolation level of a bundle: by the program's name, or by an annotation.

use std::ffi::OsStr;
use std::path::Path;

use cgroup::Group;
use container::{Io, Running};
use engine::bundle;
use oci_spec::runtime::Spec;
use plan::Isolation;

use crate::args::{CreateArgs, RunArgs};
use crate::bundle::Bundle;
use crate::commands::create::{New, detached_io, wants_terminal};
use crate::commands::foreground::Foreground;
use crate::commands::{Context, delete, groups, hooks, terminal};
use crate::error::Error;
use crate::state::{Identity, Level, Record};

/// The level that a program's name asks for: `coracle-oci-unikernel` and `coracle-oci-microvm` are links to the same
/// executable, since an engine can choose a runtime, but hardly its flags.
pub(crate) fn by_program_name(program: &OsStr) -> Option<Level> {
    match Path::new(program).file_name()?.to_str()? {
        name if name.ends_with("-unikernel") => Some(Level::Unikernel),
        name if name.ends_with("-microvm") => Some(Level::Microvm),
        _ => None,
    }
}

/// The annotation counts more than the name: it is the container's, the name is the engine's.
pub(crate) fn choose(context: &Context, spec: &Spec) -> Result<Level, Error> {
    let annotation = spec.annotations().as_ref().and_then(|annotations| annotations.get(bundle::ANNOTATION));
    match annotation.map(String::as_str) {
        None => Ok(context.level.unwrap_or(Level::Container)),
        Some("container") => Ok(Level::Container),
        Some("unikernel") => Ok(Level::Unikernel),
        Some("microvm") => Ok(Level::Microvm),
        Some(_) => Err(Error::Usage("annotation dev.coracle.isolation: it is container, unikernel or microvm")),
    }
}

/// `create` at a level that is no container: a supervisor stands for the container's first process.
pub(crate) fn create(
    context: &Context,
    args: &CreateArgs,
    bundle: &Bundle,
    new: &mut New,
    io: Io,
) -> Result<Running, Error> {
    let path = groups::path(&args.id, &bundle.spec)?;
    // The level keeps the limits itself; this group is where engines look for the process.
    let group = groups::create_unlimited(context, &path, new.record.cgroups)?;
    new.record.cgroup = (!group.is_disabled()).then(|| group.path().to_string());
    supervisor(args, bundle, new, io, &group).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = remove(new.entry.path(), &new.record);
    })
}

fn supervisor(args: &CreateArgs, bundle: &Bundle, new: &mut New, io: Io, group: &Group) -> Result<Running, Error> {
    let console = match io {
        Io::ConsoleSocket(socket) => Some(socket),
        Io::Inherit | Io::Given(_) => None,
    };
    let supervisor = bundle::create(bundle::Bundle {
        id: args.id.as_str(),
        spec: &bundle.spec,
        dir: &bundle.path,
        level: isolation(new.record.level),
        state_dir: new.entry.path(),
        console,
    })?;
    let pid = supervisor.pid();
    group.add(pid)?;
    new.record.process =
        Some(Identity::of(pid).map_err(|source| Error::System { action: "watch the supervisor", source })?);
    new.entry.replace(&new.record)?;
    let running = supervisor.leave()?;
    terminal::announce(pid, running.pidfd(), args.io.pid_file.as_deref(), args.pidfd_socket.as_deref())?;
    Ok(running)
}

/// `run` at such a level: create and start, and in the foreground wait and delete.
pub(crate) fn run(context: &Context, args: &RunArgs, bundle: &Bundle, level: Level) -> Result<u8, Error> {
    let mut foreground = if args.detach { None } else { Some(Foreground::prepare(false)?) };
    let io = match &mut foreground {
        Some(foreground) if wants_terminal(&bundle.spec) => Io::ConsoleSocket(foreground.console()?),
        Some(_) => Io::Inherit,
        None => detached_io(&bundle.spec, &args.create.io)?,
    };
    let mut new = New::reserve(context, &args.create.id, bundle, level)?;
    let started = create(context, &args.create, bundle, &mut new, io).and_then(|running| {
        let started = container::start(new.entry.path()).map_err(Error::from);
        started.inspect_err(|_| {
            let _ = remove(new.entry.path(), &new.record);
        })?;
        Ok(running)
    });
    let record = new.record.clone();
    let running = new.finish(started)?;
    hooks::poststart(context, &record, &bundle.spec, running.pid());
    let Some(foreground) = foreground else { return Ok(0) };
    let status = foreground.attend(running.pid(), running.pidfd())?;
    if !args.keep {
        delete::delete(context, &args.create.id, true)?;
    }
    Ok(status.code())
}

/// Suspends or resumes the instance itself; its supervisor is the group's.
pub(crate) fn freeze(state_dir: &Path, record: &Record, frozen: bool) -> Result<(), Error> {
    match record.level {
        Level::Unikernel => Ok(bundle::freeze(record.id.as_str(), state_dir, frozen)?),
        Level::Container | Level::Microvm => Ok(()),
    }
}

/// Removes what the level made, and the group.
pub(crate) fn remove(state_dir: &Path, record: &Record) -> Result<(), Error> {
    groups::remove(record)?;
    Ok(bundle::destroy(record.id.as_str(), isolation(record.level), state_dir)?)
}

/// SIGKILL for the whole instance: its supervisor is not asked.
pub(crate) fn kill(state_dir: &Path, record: &Record) -> Result<(), Error> {
    match record.level {
        Level::Container => Ok(()),
        level => Ok(bundle::kill(record.id.as_str(), isolation(level), state_dir)?),
    }
}

fn isolation(level: Level) -> Isolation {
    match level {
        Level::Container => Isolation::Container,
        Level::Unikernel => Isolation::Unikernel,
        Level::Microvm => Isolation::Microvm,
    }
}
