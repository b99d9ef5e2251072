use std::io;
use std::path::PathBuf;

use plan::{ExitStatus, FailureClass};

/// Why a unikernel did not start, or cannot be managed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that the start needs cannot be opened.
    #[error("cannot open {what} '{path}'")]
    Open {
        /// What it is for.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The boot information cannot be handed over.
    #[error("cannot write the boot information of the unikernel")]
    BootInfo(#[source] io::Error),
    /// No pipe for the guest's report.
    #[error("cannot create the status pipe of the unikernel")]
    Pipe(#[source] io::Error),
    /// A volume is neither a directory nor a regular file.
    #[error("volume '{0}' is neither a directory nor a file; a unikernel can share nothing else")]
    VolumeKind(PathBuf),
    /// The control group.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// The empty container.
    #[error(transparent)]
    Jail(#[from] jail::Error),
    /// The kernel refused the program; the message is the kernel's.
    #[error("{message}")]
    Program {
        /// What that means for the exit status.
        class: FailureClass,
        /// Why, for the user.
        message: String,
    },
    /// The kernel broke while it started; it has written why to the instance's standard error.
    #[error("the unikernel's kernel failed while starting; its message is in the instance's log")]
    Broken,
    /// The process ended before it reported.
    #[error("the unikernel ended while starting ({0:?}); is the memory limit too small?")]
    Ended(Option<ExitStatus>),
    /// The kernel did not report in time.
    #[error("the unikernel did not start its program within {0} seconds")]
    Timeout(u64),
    /// The process cannot be watched or signalled.
    #[error("cannot manage the unikernel's process {pid}")]
    Process {
        /// The process, seen from the host.
        pid: i32,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// What the failure means for the exit status of `coracle run`.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Program { class, .. } => *class,
            _ => FailureClass::Engine,
        }
    }
}
