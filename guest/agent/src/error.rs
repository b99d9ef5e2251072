use std::path::PathBuf;

use rustix::io::Errno;

/// What can go wrong in the guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A system call failed.
    #[error("{what}")]
    System {
        /// What was being done, for the user.
        what: String,
        /// Why it failed.
        source: Errno,
    },
    /// A file operation failed.
    #[error("{what}")]
    Io {
        /// What was being done, for the user.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A kernel module that is needed is not in the initial RAM file system.
    #[error("the kernel module '{0}' is missing; install a kernel that has it")]
    NoModule(String),
    /// The host's port did not appear.
    #[error("there is no virtio-serial port named '{}'", agent_proto::PORT_NAME)]
    NoPort,
    /// The channel was closed by the host.
    #[error("the host closed the channel")]
    HungUp,
    /// The host sent something that is no message.
    #[error("malformed message from the host")]
    Message(#[from] agent_proto::MessageError),
    /// A message that does not belong there.
    #[error("message out of order")]
    OutOfOrder,
    /// Host and agent come from different builds.
    #[error("the host speaks version {theirs} of the agent protocol and the agent version {ours}; reinstall both")]
    Version {
        /// The host's.
        theirs: u32,
        /// The agent's.
        ours: u32,
    },
    /// The kernel refused a network change.
    #[error("configuring the network: {what}")]
    Network {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: Errno,
    },
    /// There is no such program.
    #[error("'{program}' is not in the image{hint}")]
    NotFound {
        /// As the user wrote it.
        program: String,
        /// What else to look at.
        hint: &'static str,
    },
    /// There is such a program, but it cannot be executed.
    #[error("'{}' cannot be executed", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// For `map_err` after a system call.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(Errno) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    /// For `map_err` after an operation of the standard library.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// The error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
