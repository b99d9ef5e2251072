//! From a request to a running instance, and everything that can be done with instances afterwards.
//!
//! There is no daemon. The state directory is the truth ([`Paths`]), each instance has one supervisor (a fork of the command
//! that started it), and every command may be run while any other runs or dies.

pub mod bundle;
mod capability;
mod command_line;
mod error;
mod events;
mod exec;
mod files;
mod follow;
mod groups;
mod instance;
mod launch;
mod lifecycle;
mod lifecycle_request;
mod limits;
mod logs;
mod memory;
mod paths;
mod pause;
mod rename;
mod request;
mod rewrite;
mod rootless;
mod seccomp_profile;
mod settings;
mod signal;
mod spec;
mod start;
mod stats;
mod supervisor;
mod sys;
mod system;
mod time;
mod top;
mod update;
mod volumes;

use std::os::fd::AsFd;

pub use capability::{ParseCapabilityError, parse_capability};
pub use command_line::command_line;
pub use error::{Error, chain};
pub use events::{Actor, Event, EventFilter, Events, ParseFilterError};
pub use exec::ExecRequest;
pub use files::{Change, ChangeKind, CommitRequest, CopyEnd, CopyOptions, ParseCopyEndError};
pub use instance::{CheckLog, Checked, Health, Instance, Record, Status};
pub use lifecycle_request::LifecycleRequest;
pub use limits::LimitError;
pub use logs::{LogOptions, Logs};
pub use paths::{Paths, protect_own_program};
use plan::ExitStatus;
pub use request::RunRequest;
pub use rootless::{IdError, enter as enter_user_namespace};
pub use seccomp_profile::ProfileError;
pub use signal::{ParseSignalError, parse_signal};
pub use stats::Usage;
pub use supervisor::{DetachKeys, LogLine, ParseKeysError, Streams, Terminal};
pub use system::{Capability, Finding, SystemInfo};
pub use time::{ParseTimeError, parse_time};
pub use top::Processes;
pub use update::UpdateRequest;
pub use volumes::{NamedVolume, is_volume_name};

pub(crate) use instance::Instances;

/// The engine over one state directory.
#[derive(Debug, Clone)]
pub struct Engine {
    paths: Paths,
    instances: Instances,
}

/// How `run` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// The instance runs in the background; this is its id.
    Detached(plan::InstanceId),
    /// The program ended.
    Exited(ExitStatus),
}

impl Engine {
    /// The engine over a state directory, which the first instance or image makes.
    pub fn open(paths: Paths) -> Self {
        let instances = Instances::open(&paths);
        Self { paths, instances }
    }

    /// Where things are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Whether whoever runs the engine is root in a user namespace only.
    pub fn is_rootless(&self) -> bool {
        self.paths.is_rootless()
    }

    /// The image store.
    pub fn images(&self) -> Result<image::Store, Error> {
        Ok(image::Store::open(&self.paths.images())?)
    }

    /// Runs an image. In the background it returns once the program was started; in the foreground it passes the standard
    /// streams, signals and the window size on, and returns when the program has ended.
    ///
    /// The calling process must have one thread: the instance's supervisor is forked from it.
    pub fn run(&self, request: &RunRequest, detach: bool, streams: &Streams) -> Result<RunOutcome, Error> {
        let plan = request.plan(self)?;
        let instance = self.instances.create(&plan, Status::Created)?;
        self.write_cid_file(&plan)?;
        events::write(&self.paths, &plan, "create", &[]);
        let mut client = supervisor::spawn(&self.paths, instance)?;
        if detach {
            client.started()?;
            return Ok(RunOutcome::Detached(plan.id));
        }
        let ended = client.relay(&Streams { terminal: request.terminal, ..streams.clone() })?;
        Ok(ended.map_or(RunOutcome::Detached(plan.id), RunOutcome::Exited))
    }

    /// Tells whoever reads the file of `--cidfile`; an instance that cannot is not started.
    pub(crate) fn write_cid_file(&self, plan: &plan::LaunchPlan) -> Result<(), Error> {
        let Some(path) = &plan.options.cid_file else { return Ok(()) };
        let written = instance::create_new(path, plan.id.as_str().as_bytes());
        written.map_err(|source| {
            let _ = self.instances.remove(&plan.id, Some(&plan.name));
            Error::File { action: "writing the id (--cidfile) to the new file", path: path.clone(), source }
        })
    }

    /// Every instance, oldest first.
    pub fn list(&self) -> Vec<Instance> {
        self.instances.list()
    }

    /// One instance, by name, id or the beginning of an id.
    pub fn find(&self, what: &str) -> Result<Instance, Error> {
        self.instances.find(what)
    }

    /// Whether standard input is a terminal.
    pub fn stdin_is_terminal() -> bool {
        rustix::termios::isatty(std::io::stdin().as_fd())
    }
}
