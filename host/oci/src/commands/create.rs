use std::collections::BTreeMap;
use std::time::SystemTime;

use cgroup::Group;
use container::{Created, Io, Options, Request, RootSource};
use oci_spec::runtime::{Hook, Spec};

use crate::args::{CreateArgs, StartIo};
use crate::bundle::Bundle;
use crate::commands::{Context, groups, levels, terminal};
use crate::error::Error;
use crate::id::ContainerId;
use crate::listen;
use crate::state::{Entry, Identity, Level, Lock, Record};

/// <https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#create>
pub(crate) fn create(context: &Context, args: &CreateArgs) -> Result<(), Error> {
    let bundle = Bundle::open(&args.io.bundle, args.config.as_deref())?;
    let io = detached_io(&bundle.spec, &args.io)?;
    let level = levels::choose(context, &bundle.spec)?;
    let mut new = New::reserve(context, &args.id, &bundle, level)?;
    if level != Level::Container {
        let made = levels::create(context, args, &bundle, &mut new, io).map(drop);
        return new.finish(made);
    }
    let made = new.make(context, args, &bundle, io, true);
    let (entry, made) = new.release(made)?;
    if let Err(error) = leave(made) {
        let _ = entry.remove();
        return Err(error);
    }
    super::leave_to_exit(entry);
    Ok(())
}

/// Leaves the first process on its own. The lock is given back before: the process shares its descriptor, so a lock that is
/// held when this process is killed now would be held as long as the container waits.
fn leave(made: Made) -> Result<(), Error> {
    match made.created.leave() {
        Ok(running) => super::leave_to_exit((running, made.group)),
        Err(error) => {
            let _ = made.group.remove();
            return Err(error.into());
        }
    }
    Ok(())
}

/// The streams of a container that the command does not stay with.
pub(crate) fn detached_io(spec: &Spec, io: &StartIo) -> Result<Io, Error> {
    match (&io.console_socket, wants_terminal(spec)) {
        (Some(path), true) => Ok(Io::ConsoleSocket(terminal::connect(path)?)),
        (None, true) => Err(Error::NoConsoleSocket),
        (Some(_), false) => Err(Error::NoTerminal),
        (None, false) => Ok(Io::Inherit),
    }
}

pub(crate) fn wants_terminal(spec: &Spec) -> bool {
    spec.process().as_ref().and_then(|process| process.terminal()).unwrap_or(false)
}

/// A container that is being made: its directory, locked, and what will be known about it.
pub(crate) struct New {
    pub(crate) entry: Entry,
    pub(crate) record: Record,
    lock: Lock,
}

/// A container that is complete but for its start.
pub(crate) struct Made {
    pub(crate) created: Created,
    pub(crate) group: Group,
}

impl New {
    /// Reserves the name and notes what is about to be made, so that it can be removed whatever happens.
    pub(crate) fn reserve(context: &Context, id: &ContainerId, bundle: &Bundle, level: Level) -> Result<Self, Error> {
        let record = record(context, id, bundle, level)?;
        let (entry, lock) = context.root.reserve(id)?;
        let new = Self { entry, record, lock };
        match new.entry.write_first(&new.record) {
            Ok(()) => Ok(new),
            Err(error) => new.finish(Err(error)),
        }
    }

    /// Makes the container's group and first process, and tells everybody who wants to know.
    pub(crate) fn make(
        &mut self,
        context: &Context,
        args: &CreateArgs,
        bundle: &Bundle,
        io: Io,
        waits: bool,
    ) -> Result<Made, Error> {
        bundle.left_out.iter().for_each(|warning| context.log.warn(warning));
        // The defaults of `spec` are among these.
        if context.log.is_verbose() {
            let ineffective = bundle.spec.process().iter().flat_map(container::warnings);
            ineffective.for_each(|warning| context.log.debug(|| warning));
        }
        let path = groups::path(&args.id, &bundle.spec)?;
        let group = groups::create(context, &path, self.record.cgroups, &bundle.spec)?;
        // Not always what was asked for: without privileges it may be below this user's own, or none.
        self.record.cgroup = (!group.is_disabled()).then(|| group.path().to_string());
        match self.first_process(args, bundle, io, &group, waits) {
            Ok(created) => Ok(Made { created, group }),
            Err(error) => {
                // The first error is the one to tell.
                let _ = group.remove();
                Err(error)
            }
        }
    }

    fn first_process(
        &mut self,
        args: &CreateArgs,
        bundle: &Bundle,
        io: Io,
        group: &Group,
        waits: bool,
    ) -> Result<Created, Error> {
        let mut created = container::create(&Request {
            id: args.id.as_str(),
            spec: &bundle.spec,
            bundle: &bundle.path,
            root: RootSource::Spec,
            io,
            cgroup: group,
            options: Options {
                no_pivot: args.io.no_pivot,
                no_new_keyring: args.no_new_keyring,
                preserve_fds: args.preserve_fds.saturating_add(listen::count()),
                listen_fds: listen::count(),
                default_filter: false,
                state_dir: waits.then_some(self.entry.path()),
            },
        })?;
        created.wait_ready()?;
        let identity = Identity::of(created.pid());
        self.record.process = Some(identity.map_err(|_| Error::Container(container::Error::Died))?);
        self.entry.replace(&self.record)?;
        terminal::announce(created.pid(), created.pidfd()?, args.io.pid_file.as_deref(), args.pidfd_socket.as_deref())?;
        Ok(created)
    }

    /// Ends the making: after an error nothing is left.
    pub(crate) fn finish<T>(self, made: Result<T, Error>) -> Result<T, Error> {
        self.release(made).map(|(_, made)| made)
    }

    /// [`finish`](Self::finish), for a caller who still needs the directory.
    pub(crate) fn release<T>(self, made: Result<T, Error>) -> Result<(Entry, T), Error> {
        match made {
            Ok(made) => {
                // Explicitly, since the first process shares the descriptor until it executes its program.
                self.entry.unlock(self.lock)?;
                Ok((self.entry, made))
            }
            Err(error) => {
                let _ = self.entry.remove();
                Err(error)
            }
        }
    }
}

fn record(context: &Context, id: &ContainerId, bundle: &Bundle, level: Level) -> Result<Record, Error> {
    let hooks = bundle.spec.hooks().as_ref();
    let any = |list: Option<&Vec<Hook>>| list.is_some_and(|list| !list.is_empty());
    let annotations: BTreeMap<String, String> =
        bundle.spec.annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(Record {
        oci_version: bundle.spec.version().clone(),
        id: id.clone(),
        process: None,
        bundle: bundle.path.clone(),
        rootfs: bundle.rootfs(),
        created: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        owner: rustix::process::getuid().as_raw(),
        level,
        cgroup: Some(groups::path(id, &bundle.spec)?.to_string()),
        cgroups: groups::kind(context),
        annotations,
        poststart: any(hooks.and_then(|hooks| hooks.poststart().as_ref())),
        poststop: any(hooks.and_then(|hooks| hooks.poststop().as_ref())),
        config: serde_json::value::RawValue::from_string(bundle.text.clone())
            .map_err(|e| Error::System { action: "keep the configuration", source: e.into() })?,
    })
}
