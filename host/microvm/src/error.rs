use std::io;
use std::path::PathBuf;

use plan::FailureClass;
use rustix::io::Errno;

use crate::KernelError;
use crate::volumes::VolumeError;

/// Why a microVM could not be started or ended in an unexpected way.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The emulator is not installed.
    #[error("the microvm level needs QEMU, and '{0}' is not in PATH; install the package qemu-system-x86")]
    NoQemu(&'static str),
    /// The guest kernel is missing or unusable.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The agent's executable cannot be read.
    #[error("the microVM agent {} cannot be read; reinstall Coracle", path.display())]
    Agent {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The limit leaves no room for a kernel.
    #[error(
        "a microVM needs at least {minimum} MiB of memory, of which its own kernel takes about {kernel} MiB; {asked} MiB were asked for: raise -m"
    )]
    Memory {
        /// The smallest virtual machine that boots, in MiB.
        minimum: u64,
        /// What the guest's kernel takes for itself, in MiB.
        kernel: u64,
        /// What was asked for, in MiB.
        asked: u64,
    },
    /// A CPU list that is none.
    #[error("'{0}' is not a list of CPUs; write it as in cpuset(7), for example 0-1,3")]
    Cpuset(String),
    /// The system call trace is a feature of the unikernel.
    #[error("the microvm level cannot trace system calls; use --as unikernel, or strace inside the image")]
    Trace,
    /// A volume cannot be shared.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// A limit cannot be set.
    #[error("limiting the virtual machine")]
    Cgroup(#[from] cgroup::Error),
    /// A file operation of ours failed.
    #[error("{what} {}", path.display())]
    File {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A system call of ours failed.
    #[error("{what}")]
    System {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: Errno,
    },
    /// QEMU could not be started.
    #[error("starting {program}")]
    Spawn {
        /// The program.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The virtual machine ended before its program did.
    #[error("the virtual machine ended unexpectedly{}", details(.console, .log))]
    Died {
        /// The last lines of the guest's console.
        console: String,
        /// The last lines of QEMU's own messages.
        log: String,
    },
    /// The agent did not answer in time.
    #[error("the virtual machine did not come up within {seconds} s{}", details(.console, .log))]
    Timeout {
        /// How long was waited.
        seconds: u64,
        /// The last lines of the guest's console.
        console: String,
        /// The last lines of QEMU's own messages.
        log: String,
    },
    /// The agent could not set up the guest.
    #[error("setting up the microVM: {0}")]
    Setup(String),
    /// The program does not exist in the image.
    #[error("{0}")]
    NotFound(String),
    /// The program exists but cannot be executed.
    #[error("{0}")]
    NotExecutable(String),
    /// The guest sent something that the protocol forbids; the virtual machine was ended.
    #[error("the microVM's agent broke its protocol; the virtual machine was ended")]
    Protocol(#[source] ProtocolError),
}

/// What a guest may not send.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// Bytes that are no message.
    #[error(transparent)]
    Message(#[from] agent_proto::MessageError),
    /// A message that does not belong there.
    #[error("message out of order")]
    Order,
    /// More output than the host had room for.
    #[error("output beyond its credit")]
    Credit,
    /// An exit status that is none.
    #[error("wait status {0:#x}")]
    Status(i32),
    /// Another version of the agent.
    #[error("protocol version {theirs} instead of {}", agent_proto::VERSION)]
    Version {
        /// The agent's.
        theirs: u32,
    },
}

impl Error {
    /// Which exit status of `coracle run` stands for this error.
    pub const fn class(&self) -> FailureClass {
        match self {
            Self::NotFound(_) => FailureClass::NotFound,
            Self::NotExecutable(_) => FailureClass::NotExecutable,
            _ => FailureClass::Engine,
        }
    }

    /// For `map_err` after a system call.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(Errno) -> Self {
        move |source| Self::System { what, source }
    }

    /// For `map_err` after a file operation.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

fn details(console: &str, log: &str) -> String {
    let mut text = String::new();
    for (name, lines) in [("QEMU", log), ("guest console", console)] {
        if !lines.is_empty() {
            text.push_str(&format!("\n--- {name}:\n{lines}"));
        }
    }
    text
}
