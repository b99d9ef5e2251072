use container::Io;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::args::RunArgs;
use crate::bundle::Bundle;
use crate::commands::create::{Made, New, detached_io, wants_terminal};
use crate::commands::foreground::Foreground;
use crate::commands::{Context, delete, hooks, levels};
use crate::error::Error;
use crate::state::Level;

/// `create` and `start` in one, without a process in between that waits; in the foreground also `delete`.
pub(crate) fn run(context: &Context, args: &RunArgs) -> Result<u8, Error> {
    let bundle = Bundle::open(&args.create.io.bundle, args.create.config.as_deref())?;
    let level = levels::choose(context, &bundle.spec)?;
    if level != Level::Container {
        return levels::run(context, args, &bundle, level);
    }
    if args.detach { detached(context, args, &bundle) } else { attended(context, args, &bundle) }
}

fn detached(context: &Context, args: &RunArgs, bundle: &Bundle) -> Result<u8, Error> {
    let io = detached_io(&bundle.spec, &args.create.io)?;
    let mut new = New::reserve(context, &args.create.id, bundle, Level::Container)?;
    let started = new.make(context, &args.create, bundle, io, false).and_then(start);
    let record = new.record.clone();
    let running = new.finish(started)?;
    hooks::poststart(context, &record, &bundle.spec, running.pid());
    Ok(0)
}

fn attended(context: &Context, args: &RunArgs, bundle: &Bundle) -> Result<u8, Error> {
    let mut foreground = Foreground::prepare(shares_processes(&bundle.spec) && !args.create.io.no_subreaper)?;
    let io = match (&args.create.io.console_socket, wants_terminal(&bundle.spec)) {
        (None, true) => Io::ConsoleSocket(foreground.console()?),
        (None, false) => Io::Inherit,
        (Some(_), _) => return Err(Error::Usage("--console-socket is for a container that is left: use --detach")),
    };
    let mut new = New::reserve(context, &args.create.id, bundle, Level::Container)?;
    let started = new.make(context, &args.create, bundle, io, false).and_then(start);
    let record = new.record.clone();
    let running = new.finish(started)?;
    hooks::poststart(context, &record, &bundle.spec, running.pid());
    let status = foreground.attend(running.pid(), running.pidfd())?;
    if !args.keep {
        delete::delete(context, &args.create.id, true)?;
    }
    Ok(status.code())
}

/// Starts the program; if it cannot be, its group goes, too.
fn start(made: Made) -> Result<container::Running, Error> {
    made.created.start().map_err(|error| {
        let _ = made.group.remove();
        error.into()
    })
}

/// Whether the container's orphans are the host's: it makes no process namespace of its own.
fn shares_processes(spec: &Spec) -> bool {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    !namespaces.into_iter().flatten().any(|ns| ns.typ() == LinuxNamespaceType::Pid && ns.path().is_none())
}
