use std::io;
use std::path::PathBuf;

use engine::bundle::BundleError;

use crate::state::Status;

/// Why a command failed. Engines look for some of these words, so they are runc's where runc has any.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such container.
    #[error("container '{0}' does not exist")]
    NoContainer(String),
    /// The name is taken.
    #[error("container with given ID already exists: '{0}'; delete it first, or choose another name")]
    Exists(String),
    /// Another command is creating or deleting it.
    #[error("container '{0}' is being created or deleted by another command; try again")]
    Busy(String),
    /// Its processes have ended.
    #[error("container not running: '{0}' has stopped")]
    NotRunning(String),
    /// Not possible in its state.
    #[error("cannot {action} container '{id}': it is {status}, not {wanted}")]
    Status {
        /// What was asked for.
        action: &'static str,
        /// The container.
        id: String,
        /// What it is.
        status: Status,
        /// What it would have to be.
        wanted: &'static str,
    },
    /// `start` of a container that runs.
    #[error("cannot start an already running container: '{0}'")]
    Started(String),
    /// `start` of a container that has ended.
    #[error("cannot start a container that has stopped: '{0}'")]
    Stopped(String),
    /// A paused container.
    #[error("cannot exec in a paused container (use --ignore-paused to override)")]
    Paused,
    /// The state file is not what was written.
    #[error("the state of container '{id}' is damaged ({path}); remove it with `coracle-oci delete --force {id}`")]
    DamagedState {
        /// The container.
        id: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The configuration is not JSON of the specification.
    #[error("{path}: {field}: {source}", field = Field(.field))]
    Config {
        /// The file.
        path: PathBuf,
        /// The field that is wrong.
        field: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The configuration cannot be used.
    #[error("{path}: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// Not a version of the specification that is known.
    #[error("{path}: ociVersion: unknown version '{version}': this runtime knows 1.0.0 to 1.3.x")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        version: String,
    },
    /// A file or directory.
    #[error("cannot {action} {path}")]
    File {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A file that is read as a whole is too long.
    #[error("{path} is longer than {limit} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// A system call without a path.
    #[error("cannot {action}")]
    System {
        /// What was to be done.
        action: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The program to run is not there or cannot be executed; the words are those of Go's os/exec, which engines look for.
    #[error("exec: \"{program}\": {reason}")]
    Program {
        /// As it was asked for.
        program: String,
        /// Why not.
        reason: &'static str,
    },
    /// A terminal was asked for, and nobody takes it.
    #[error(
        "cannot give the program a terminal: use --console-socket when the command does not stay in the foreground"
    )]
    NoConsoleSocket,
    /// A console socket without a terminal.
    #[error("--console-socket given, but process.terminal is false; remove one or set the other")]
    NoTerminal,
    /// What the command needs was not given.
    #[error("{0}")]
    Usage(&'static str),
    /// The isolation level cannot do this.
    #[error("a {level} cannot {action}: {reason}")]
    Level {
        /// The level.
        level: &'static str,
        /// The command.
        action: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// CRIU failed; the text is its own.
    #[error("criu {action} failed: {reason}")]
    Criu {
        /// `dump` or `restore`.
        action: &'static str,
        /// From its log.
        reason: String,
    },
    /// Control groups.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// The container.
    #[error(transparent)]
    Container(container::Error),
    /// The other isolation levels.
    #[error(transparent)]
    Bundle(engine::bundle::BundleError),
    /// `exec` did not start its program.
    #[error("exec failed")]
    Exec(#[source] Box<Error>),
}

impl Error {
    /// The command's exit status: 1, or 255 if `exec` did not start its program, as runc's.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Exec(_)) { 255 } else { 1 }
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self::File { action, path: path.into(), source: source.into() }
    }

    pub(crate) fn system(action: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |source| Self::System { action, source: source.into() }
    }
}

impl From<BundleError> for Error {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Container(error) => error.into(),
            other => Self::Bundle(other),
        }
    }
}

impl From<container::Error> for Error {
    fn from(error: container::Error) -> Self {
        use container::Error as E;
        match error {
            E::ProgramNotFound { program, .. } => {
                let path = program.contains('/');
                let reason = if path { "no such file or directory" } else { "executable file not found in $PATH" };
                Self::Program { program, reason }
            }
            E::InterpreterNotFound { program, .. } => Self::Program {
                program,
                reason: "no such file or directory (its dynamic loader or '#!' program is not in the root file system)",
            },
            E::NotExecutable { program, source } => {
                let reason = match source.raw_os_error() {
                    Some(libc::ENOEXEC) => "exec format error",
                    Some(libc::EISDIR) => "is a directory: permission denied",
                    _ => "permission denied",
                };
                Self::Program { program, reason }
            }
            other => Self::Container(other),
        }
    }
}

struct Field<'a>(&'a str);

impl std::fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self.0, "." | "" | "?") { "invalid configuration" } else { self.0 })
    }
}

/// An error and its causes in one line, with the kernel's answers in the words of strerror(3) as Go prints them: engines
/// compare with "no such file or directory" and "permission denied".
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = match cause.downcast_ref::<io::Error>() {
            Some(io) => strerror(io),
            None => cause.to_string(),
        };
        // A message that shows its source already would say it twice.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    let Some(end) = text.rfind(" (os error ").filter(|_| error.raw_os_error().is_some()) else { return text };
    let mut letters = text[..end].chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_go() {
        let error = Error::file("open", "/x")(rustix::io::Errno::NOENT);
        assert_eq!(chain(&error), "cannot open /x: no such file or directory");
        let nested = Error::Exec(Box::new(Error::Program { program: "sh".into(), reason: "permission denied" }));
        assert_eq!(chain(&nested), "exec failed: exec: \"sh\": permission denied");
        assert_eq!((nested.exit_code(), error.exit_code()), (255, 1));
    }
}
