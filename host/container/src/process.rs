//! What a process does to itself before it becomes a program of the container: first processes and further ones alike.
//!
//! [`Prepared::new`] validates and allocates in the parent; the rest are stages of the child, in the order of its methods.
//! A field that the specification leaves out costs no system call.

use std::io;
use std::os::fd::BorrowedFd;

use jail::seccomp::oci::{self as seccomp, Listener, Notifier};
use jail::{IoClass, SchedAttr};
use oci_spec::runtime::{Linux, Process, State};
use plan::Stdio;
use rustix::process::Pid;
use rustix::termios::Winsize;
use rustix::thread::CpuSet;

use crate::error::{Error, Stage};
use crate::message::{AtStage, Failure};
use crate::root::Root;

mod affinity;
mod capabilities;
mod descriptors;
mod domain;
mod environment;
mod home;
mod identity;
mod invalid;
mod io_priority;
mod labels;
mod memory_policy;
mod number_list;
mod oom;
mod private_proc;
mod program;
mod rlimits;
mod scheduler;
mod stages;
mod stdio;
mod terminal;
mod working_directory;

pub use home::home_in_passwd;
pub use invalid::{InvalidProcess, Reason};
pub(crate) use labels::mount_label;
pub(crate) use private_proc::PrivateProc;
pub(crate) use terminal::Terminal;

use affinity::Affinity;
use capabilities::Capabilities;
use environment::Environment;
use identity::Identity;
use labels::Labels;
use memory_policy::MemoryPolicy;
use oom::OomScore;
use rlimits::Rlimits;

/// What the caller's command line says about a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    /// Stays in the session keyring of the caller.
    pub(crate) no_new_keyring: bool,
    /// How many descriptors after the standard streams stay open.
    pub(crate) preserve_fds: u32,
    /// How many of these are sockets by the protocol of sd_listen_fds(3).
    pub(crate) listen_fds: u32,
    /// It is not the container's first.
    pub(crate) further: bool,
}

/// A process that was found to be possible.
#[derive(Debug)]
pub(crate) struct Prepared {
    identity: Identity,
    capabilities: Capabilities,
    no_new_privileges: bool,
    labels: Labels,
    rlimits: Rlimits,
    oom_score: Option<OomScore>,
    scheduler: Option<SchedAttr>,
    io_priority: Option<(IoClass, u8)>,
    memory_policy: Option<MemoryPolicy>,
    domain: Option<u32>,
    affinity: Option<Affinity>,
    terminal: bool,
    window_size: Option<Winsize>,
    working_directory: String,
    environment: Environment,
    /// Where the program was when it was looked for first.
    program: Option<String>,
    filter: Option<seccomp::Filter>,
    /// Who answers the filter's notifications.
    notifier: Option<Notifier>,
    /// What that one is told with the listener.
    notification: Vec<u8>,
    settings: Settings,
}

impl Prepared {
    /// Checks the process, allocates what it needs and connects to who answers its filter's notifications; in the parent.
    ///
    /// # Errors
    /// [`Error::InvalidProcess`] names the first field that cannot be carried out.
    pub(crate) fn new(process: &Process, linux: Option<&Linux>, settings: Settings) -> Result<Self, Error> {
        descriptors::check(settings.preserve_fds)?;
        let mut prepared = Self::parse(process, linux, settings)?;
        let listener = prepared.filter.as_ref().and_then(|filter| filter.listener.as_ref());
        prepared.notifier = listener.map(connect).transpose()?;
        Ok(prepared)
    }

    fn parse(process: &Process, linux: Option<&Linux>, settings: Settings) -> Result<Self, Error> {
        let personality = linux.and_then(|linux| linux.personality().as_ref());
        let memory_policy = linux.and_then(|linux| linux.memory_policy().as_ref());
        let affinity = process.exec_cpu_affinity().as_ref();
        let filter = linux.and_then(|linux| linux.seccomp().as_ref()).map(seccomp::translate).transpose()?;
        Ok(Self {
            identity: Identity::parse(process.user())?,
            capabilities: Capabilities::parse(process.capabilities().as_ref())?,
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
            labels: Labels::parse(process.apparmor_profile().as_deref(), process.selinux_label().as_deref())?,
            rlimits: Rlimits::parse(process.rlimits().as_deref().unwrap_or_default())?,
            oom_score: process.oom_score_adj().map(OomScore::parse).transpose()?,
            scheduler: process.scheduler().as_ref().map(scheduler::parse).transpose()?,
            io_priority: process.io_priority().as_ref().map(io_priority::parse).transpose()?,
            memory_policy: memory_policy.map(MemoryPolicy::parse).transpose()?,
            domain: personality.map(domain::parse).transpose()?,
            affinity: affinity.map(Affinity::parse).transpose()?.filter(|_| settings.further),
            terminal: process.terminal().unwrap_or(false),
            window_size: terminal::window_size(process.console_size())?,
            working_directory: working_directory::parse(process.cwd())?,
            environment: Environment::new(process, settings.listen_fds)?,
            notifier: None,
            notification: Vec::new(),
            program: None,
            filter,
            settings,
        })
    }

    /// Takes the ready-made filter, if the specification has none.
    pub(crate) fn use_default_filter(&mut self) -> Result<(), Error> {
        if self.filter.is_none() {
            let program = jail::seccomp::container_default()?;
            self.filter = Some(seccomp::Filter { program, flags: jail::seccomp::FilterFlags::empty(), listener: None });
        }
        Ok(())
    }

    /// Whether the program gets a terminal.
    pub(crate) fn terminal(&self) -> bool {
        self.terminal
    }

    /// Makes the terminal by the devpts below `root`, in the size that was asked for.
    pub(crate) fn make_terminal(&self, root: BorrowedFd<'_>) -> io::Result<Terminal> {
        Terminal::open(root, self.window_size)
    }

    /// What only the parent can do for a process that is, or will be, in another user namespace: raise what takes a privilege
    /// on the host. Its own attempt tells what is not possible.
    pub(crate) fn help(&self, pid: i32) {
        if let Some(score) = self.oom_score {
            score.apply_to(pid);
        }
        if let Some(pid) = Pid::from_raw(pid) {
            self.rlimits.raise_for(pid);
        }
    }

    /// Moves the parent to where the process is to be born; the answer is where it was.
    pub(crate) fn go_to_initial_processors(&self) -> Result<Option<CpuSet>, Error> {
        let Some(initial) = self.affinity.as_ref().and_then(|affinity| affinity.initial.as_ref()) else {
            return Ok(None);
        };
        let error = |source: rustix::io::Errno| Error::Stage {
            stage: Stage::Affinity,
            detail: "process.execCPUAffinity.initial".to_owned(),
            source: source.into(),
        };
        let before = rustix::thread::sched_getaffinity(None).map_err(error)?;
        rustix::thread::sched_setaffinity(None, initial).map_err(error)?;
        Ok(Some(before))
    }

    /// Whether the filter has notifications.
    pub(crate) fn notifies(&self) -> bool {
        self.notifier.is_some()
    }

    /// Writes down what the agent is told; in the child, while the host's procfs is still there.
    pub(crate) fn prepare_notification(&mut self, state: State) {
        if let Some(notifier) = &self.notifier {
            self.notification = notifier.message(pid_in_own_procfs(), state);
        }
    }

    /// Makes the working directory of a first process in its root, while that may still be written.
    pub(crate) fn make_working_directory(&self, root: Root<'_>) -> Result<(), Failure> {
        let path = &self.working_directory;
        working_directory::make(root, path, &self.identity).about(Stage::WorkingDirectory, path)
    }

    /// Starts a session and puts the standard streams in place; without `streams` they stay as they are.
    pub(crate) fn take_streams(&self, streams: Option<&Stdio>) -> Result<(), Failure> {
        if !self.settings.no_new_keyring {
            jail::new_session_keyring().at(Stage::Keyring)?;
        }
        stdio::place(streams, self.terminal).at(Stage::Terminal)
    }
}

/// Checks everything of a process's description, without making or opening anything.
///
/// # Errors
/// The first field that cannot be carried out.
pub fn validate_process(process: &Process, linux: Option<&Linux>) -> Result<(), Error> {
    Prepared::parse(process, linux, Settings::default()).map(drop)
}

/// What is left out of a process's description because it would have no effect; for the caller's log.
pub fn warnings(process: &Process) -> Vec<String> {
    Capabilities::ineffective(process.capabilities().as_ref())
}

fn connect(listener: &Listener) -> Result<Notifier, Error> {
    listener.connect().map_err(|source| Error::SeccompListener { path: listener.path.clone(), source })
}

/// The number of this process in the PID namespace of the procfs at /proc; 0 if there is none.
pub(crate) fn pid_in_own_procfs() -> i32 {
    let link = rustix::fs::readlink("/proc/self", Vec::new());
    link.ok().and_then(|link| link.to_str().ok()?.parse().ok()).unwrap_or(0)
}
