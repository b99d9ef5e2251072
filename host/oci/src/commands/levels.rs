//! The other isolation levels: a bundle as a unikernel or a microVM.
//!
//! An engine wants a process that exists from `create` on and ends with the program's status. It is a [`keeper`]: a fork of
//! `create` that waits for `start`, starts the instance, passes signals on, and ends as the program ends.

mod instance;
mod keeper;
mod plan;

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::plan::InstanceId;
use container::Io;
use oci_spec::runtime::Spec;
use sha2::{Digest, Sha256};

use crate::args::{CreateArgs, RunArgs};
use crate::bundle::Bundle;
use crate::commands::create::{New, detached_io, wants_terminal};
use crate::commands::foreground::Foreground;
use crate::commands::{Context, delete, terminal};
use crate::error::Error;
use crate::state::{Identity, Level, Record};

/// `container`, `unikernel` or `microvm`.
const ANNOTATION: &str = "dev.coracle.isolation";

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
    let annotation = spec.annotations().as_ref().and_then(|annotations| annotations.get(ANNOTATION));
    match annotation.map(String::as_str) {
        None => Ok(context.level.unwrap_or(Level::Container)),
        Some("container") => Ok(Level::Container),
        Some("unikernel") => Ok(Level::Unikernel),
        Some("microvm") => Ok(Level::Microvm),
        Some(_) => Err(Error::Usage("annotation dev.coracle.isolation: it is container, unikernel or microvm")),
    }
}

/// Where instances keep their files: on a disk, since an image has the size of its root file system.
const INSTANCES: &str = "/var/lib/coracle/oci";

/// The identity of a container's instance, the same whenever it is asked for, so that its files are found without a state.
fn instance_id(state: &Path) -> InstanceId {
    InstanceId::from_bytes(Sha256::digest(state.as_os_str().as_encoded_bytes()).into())
}

fn directory(id: &InstanceId) -> PathBuf {
    Path::new(INSTANCES).join(id.as_str())
}

/// Makes the instance's image and its keeper, which waits for [`start`].
pub(crate) fn create(args: &CreateArgs, bundle: &Bundle, new: &mut New, io: Io) -> Result<Identity, Error> {
    let state = new.entry.path().to_owned();
    let made = make(args, bundle, new, io);
    made.inspect_err(|_| {
        let _ = remove(&state, &new.record);
    })
}

fn make(args: &CreateArgs, bundle: &Bundle, new: &mut New, io: Io) -> Result<Identity, Error> {
    let id = instance_id(new.entry.path());
    let directory = directory(&id);
    std::fs::create_dir_all(&directory).map_err(|source| Error::File {
        action: "make the directory",
        path: directory.clone(),
        source,
    })?;
    let plan = plan::plan(id, &bundle.spec, bundle, &directory, new.record.level)?;
    image::write_directory(&bundle.rootfs(), &plan.rootfs.erofs)
        .map_err(|e| Error::Instance(crate::error::chain(&e)))?;
    let keeper = keeper::fork(new.entry.path(), &plan, io)?;
    let identity =
        Identity::of(keeper.pid).map_err(|source| Error::System { action: "look at the instance's keeper", source })?;
    new.record.process = Some(identity);
    new.record.cgroup = None;
    new.entry.replace(&new.record)?;
    terminal::announce(keeper.pid, keeper.pidfd.as_fd(), args.io.pid_file.as_deref(), args.pidfd_socket.as_deref())?;
    keeper.leave()?;
    Ok(identity)
}

/// Lets a created instance start, and returns when its program runs.
pub(crate) fn start(state: &Path) -> Result<(), Error> {
    keeper::start(state)
}

/// `run`.
pub(crate) fn run(context: &Context, args: &RunArgs, bundle: &Bundle, level: Level) -> Result<ExitCode, Error> {
    let create_args = &args.create;
    let mut foreground = if args.detach { None } else { Some(Foreground::prepare(false)?) };
    let io = match &mut foreground {
        Some(foreground) if wants_terminal(&bundle.spec) => Io::ConsoleSocket(foreground.console()?),
        Some(_) => Io::Inherit,
        None => detached_io(&bundle.spec, &create_args.io)?,
    };
    let mut new = New::reserve(context, &create_args.id, bundle, level)?;
    let made = create(create_args, bundle, &mut new, io);
    let identity = new.finish(made)?;
    // Opened before the start: a keeper that ends at once is still a child to wait for.
    let process = identity.open().ok().flatten().ok_or_else(|| Error::NotRunning(create_args.id.to_string()))?;
    if let Err(error) = crate::commands::start::start(context, &create_args.id) {
        let _ = delete::delete(context, &create_args.id, true);
        return Err(error);
    }
    let Some(foreground) = foreground else { return Ok(ExitCode::SUCCESS) };
    let status = foreground.attend(process.pid, process.pidfd())?;
    if !args.keep {
        delete::delete(context, &create_args.id, true)?;
    }
    Ok(ExitCode::from(status.code()))
}

/// Ends the instance behind a keeper that was killed, and gives back what it had.
pub(crate) fn remove(state: &Path, record: &Record) -> Result<(), Error> {
    let id = instance_id(state);
    let directory = directory(&id);
    let failed = |error: &(dyn std::error::Error + 'static)| Error::Instance(crate::error::chain(error));
    match record.level {
        Level::Container => return Ok(()),
        Level::Unikernel => unikernel::destroy(&id).map_err(|e| failed(&e))?,
        Level::Microvm => microvm::destroy(&id, &directory).map_err(|e| failed(&e))?,
    }
    match std::fs::remove_dir_all(&directory) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { action: "remove", path: directory, source })
        }
        _ => Ok(()),
    }
}

/// SIGKILL for the whole instance: its keeper is not asked.
pub(crate) fn kill(state: &Path, record: &Record) -> Result<(), Error> {
    match record.level {
        // A virtual machine ends with its keeper.
        Level::Container | Level::Microvm => Ok(()),
        Level::Unikernel => {
            unikernel::destroy(&instance_id(state)).map_err(|e| Error::Instance(crate::error::chain(&e)))
        }
    }
}
