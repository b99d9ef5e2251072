use std::io;
use std::path::PathBuf;

use plan::{FailureClass, Isolation};

/// Why the engine could not do what was asked. Each message says what to do next where there is something to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation on one of the engine's own files failed.
    #[error("{action} {}", path.display())]
    File {
        /// What was being done, as a gerund ("writing").
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the state directory cannot be understood.
    #[error("the state file {} is damaged; `coracle rm -f` removes the instance", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// No instance has this name or id.
    #[error("no instance '{0}'; `coracle ps -a` lists them all")]
    NoInstance(String),
    /// Several instances' ids begin so.
    #[error("'{0}' is the beginning of several instances' ids; give more digits")]
    Ambiguous(String),
    /// The name is taken.
    #[error(
        "the name '{name}' is in use by instance {id}; remove it with `coracle rm {name}` or choose another with --name"
    )]
    NameInUse {
        /// The name.
        name: String,
        /// Its holder, shortened.
        id: String,
    },
    /// A name that could not be a host name, a file name and a table's cell.
    #[error(
        "'{0}' is not a valid name; use letters, digits, '_', '.' and '-', starting with a letter or digit, at most 63"
    )]
    BadName(String),
    /// An image is needed.
    #[error("image '{image}' is used by instance '{instance}'; remove that first: coracle rm {instance}")]
    ImageInUse {
        /// The image.
        image: String,
        /// The instance.
        instance: String,
    },
    /// The instance is in the wrong state.
    #[error("instance '{name}' is {state}; {hint}")]
    WrongState {
        /// The instance's name.
        name: String,
        /// Its state.
        state: &'static str,
        /// What to do next.
        hint: &'static str,
    },
    /// A level cannot do something that was asked.
    #[error("{what} is not available at the {level} level{hint}")]
    Unsupported {
        /// What was asked.
        what: &'static str,
        /// The level.
        level: Isolation,
        /// What to do instead; begins with "; " or is empty.
        hint: &'static str,
    },
    /// A flag's value makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A limit that cannot be kept here.
    #[error(transparent)]
    Limit(#[from] crate::LimitError),
    /// The image's configuration has no command, and none was given.
    #[error("image '{0}' has no default command; say what to run: `coracle run … {0} COMMAND`")]
    NoCommand(String),
    /// A host path of a volume does not exist.
    #[error("the volume's host path {} does not exist; create it first", .0.display())]
    NoVolume(PathBuf),
    /// No volume has this name.
    #[error("no volume '{0}'; `coracle volume ls` lists them all")]
    NoNamedVolume(String),
    /// A volume is needed.
    #[error("volume '{volume}' is used by instance '{instance}'; remove that first: coracle rm {instance}")]
    VolumeInUse {
        /// The volume.
        volume: String,
        /// The instance.
        instance: String,
    },
    /// A system-call filter of the user's.
    #[error(transparent)]
    Profile(#[from] crate::ProfileError),
    /// Limits of a user without root.
    #[error(
        "limits need a control group that was delegated to this user (docs/rootless.md); leave them out, or ask an administrator"
    )]
    NotDelegated(#[source] cgroup::Error),
    /// Something that only root may do.
    #[error("{what} needs root{hint}")]
    NeedsRoot {
        /// What was asked.
        what: &'static str,
        /// What to do instead; begins with "; " or is empty.
        hint: &'static str,
    },
    /// A guest program is missing from the installation.
    #[error("{} is missing; build and install all of Coracle (`make build`)", .0.display())]
    MissingProgram(PathBuf),
    /// A system call failed.
    #[error("{0}")]
    System(&'static str, #[source] io::Error),
    /// There is no journal to log to.
    #[error(
        "the journal's socket {socket} cannot be reached; choose --log-driver json-file where systemd-journald does not run"
    )]
    NoJournal {
        /// Where it should be.
        socket: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The output went elsewhere.
    #[error("the log of instance '{name}' cannot be read: its log driver is {driver} ({hint})")]
    NoLog {
        /// The instance's name.
        name: String,
        /// Its log driver.
        driver: &'static str,
        /// Where its output is.
        hint: &'static str,
    },
    /// The supervisor ended without a word.
    #[error("the instance's supervisor ended unexpectedly; `coracle system check --fix` cleans up")]
    SupervisorLost,
    /// The start failed in the supervisor, which gives the message.
    #[error("{message}")]
    Start {
        /// Whose fault it is.
        class: u8,
        /// The chain of errors, printed.
        message: String,
    },
    /// The image store.
    #[error(transparent)]
    Store(#[from] image::StoreError),
    /// An image's reference.
    #[error(transparent)]
    Reference(#[from] image::ReferenceError),
    /// A user that the image does not know.
    #[error(transparent)]
    User(#[from] image::UserError),
    /// An image could not be unpacked.
    #[error(transparent)]
    Extract(#[from] image::ExtractError),
    /// An image could not be packed.
    #[error(transparent)]
    Pack(#[from] image::PackError),
    /// The programs of an image could not be read.
    #[error("image '{image}' cannot be prepared for the unikernel level; `coracle system check` looks at the store")]
    Analysis {
        /// The image.
        image: String,
        /// What is wrong with its file system.
        source: image::ErofsError,
    },
    /// An image could not be made of a container.
    #[error(transparent)]
    Commit(#[from] image::CommitError),
    /// An image could not be loaded.
    #[error(transparent)]
    Load(#[from] image::LoadError),
    /// The guest kernel of microVMs.
    #[error(transparent)]
    Kernel(#[from] microvm::KernelError),
    /// The container level.
    #[error(transparent)]
    Container(#[from] container::Error),
    /// The microVM level.
    #[error(transparent)]
    Microvm(#[from] microvm::Error),
    /// The unikernel level.
    #[error(transparent)]
    Unikernel(#[from] unikernel::Error),
    /// The network.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// Control groups.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

impl Error {
    /// The exit status that stands for this error (`docker run`'s convention).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start { class, .. } => *class,
            Self::Container(e) => e.class().exit_code(),
            Self::Microvm(e) => e.class().exit_code(),
            Self::Unikernel(e) => e.class().exit_code(),
            _ => FailureClass::Engine.exit_code(),
        }
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// Prints an error and all that caused it, once each, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
