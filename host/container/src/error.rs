use std::fmt;
use std::io;
use std::path::PathBuf;

use plan::FailureClass;

/// The steps that a container's first process goes through, in their order. A process of [`exec`](crate::exec) goes through
/// `Join` and those from `Terminal` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Enter the namespaces of a running container.
    Join,
    /// Cut the mounts off from the host's.
    PrivateMounts,
    /// Stack the writable layer on the image and attach the root.
    RootFs,
    /// Mount /proc.
    Proc,
    /// Mount and fill /dev.
    Dev,
    /// Mount /sys.
    Sys,
    /// Mount the container's view of its control groups.
    Cgroups,
    /// Bind /etc/hosts, /etc/hostname and /etc/resolv.conf.
    EtcFiles,
    /// Bind the volumes.
    Volumes,
    /// Leave the host's file system.
    Pivot,
    /// Hide or write-protect what a container must not touch in /proc and /sys.
    ProtectedPaths,
    /// Set the host name.
    Hostname,
    /// Switch the loopback interface on.
    Loopback,
    /// Wait for the engine.
    Wait,
    /// Make the cgroup namespace.
    CgroupNamespace,
    /// Start a session and put the standard streams in place.
    Terminal,
    /// Enter the working directory.
    WorkingDirectory,
    /// Give up capabilities, groups and user.
    Privileges,
    /// Install the system-call filter.
    Seccomp,
    /// Close every other descriptor.
    Descriptors,
    /// Find and execute the program.
    Exec,
    /// Wait for the ids of the user namespace to be mapped.
    IdMappings,
    /// Enter the namespaces that the specification names by their path.
    Namespaces,
    /// Shift the clocks of the time namespace.
    TimeOffsets,
    /// Mount what the specification lists.
    Mount,
    /// Make a device.
    Device,
    /// Give the container a terminal of its own.
    Console,
    /// Run a hook.
    Hook,
    /// Set a kernel parameter.
    Sysctl,
    /// Set the NIS domain name.
    DomainName,
    /// Enter its control groups.
    Groups,
    /// Set how willingly the kernel ends it.
    OomScore,
    /// Set resource limits.
    Rlimits,
    /// Set how it is scheduled.
    Scheduler,
    /// Set its I/O priority.
    IoPriority,
    /// Set its NUMA memory policy.
    MemoryPolicy,
    /// Set its execution domain.
    Personality,
    /// Set on which processors it runs.
    Affinity,
    /// Ask security modules to confine it.
    Labels,
    /// Get a session keyring of its own.
    Keyring,
}

impl Stage {
    const ALL: [Self; 40] = [
        Self::Join,
        Self::PrivateMounts,
        Self::RootFs,
        Self::Proc,
        Self::Dev,
        Self::Sys,
        Self::Cgroups,
        Self::EtcFiles,
        Self::Volumes,
        Self::Pivot,
        Self::ProtectedPaths,
        Self::Hostname,
        Self::Loopback,
        Self::Wait,
        Self::CgroupNamespace,
        Self::Terminal,
        Self::WorkingDirectory,
        Self::Privileges,
        Self::Seccomp,
        Self::Descriptors,
        Self::Exec,
        Self::IdMappings,
        Self::Namespaces,
        Self::TimeOffsets,
        Self::Mount,
        Self::Device,
        Self::Console,
        Self::Hook,
        Self::Sysctl,
        Self::DomainName,
        Self::Groups,
        Self::OomScore,
        Self::Rlimits,
        Self::Scheduler,
        Self::IoPriority,
        Self::MemoryPolicy,
        Self::Personality,
        Self::Affinity,
        Self::Labels,
        Self::Keyring,
    ];

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join => "enter the container's namespaces",
            Self::PrivateMounts => "make its mounts private",
            Self::RootFs => "mount its root file system",
            Self::Proc => "mount /proc",
            Self::Dev => "fill /dev",
            Self::Sys => "mount /sys",
            Self::Cgroups => "mount /sys/fs/cgroup",
            Self::EtcFiles => "bind the network files of /etc",
            Self::Volumes => "bind a volume",
            Self::Pivot => "leave the host's file system",
            Self::ProtectedPaths => "protect paths in /proc and /sys",
            Self::Hostname => "set its host name",
            Self::Loopback => "switch its loopback interface on",
            Self::Wait => "wait for the engine",
            Self::CgroupNamespace => "make its cgroup namespace",
            Self::Terminal => "set up its terminal and standard streams",
            Self::WorkingDirectory => "enter its working directory",
            Self::Privileges => "drop its privileges",
            Self::Seccomp => "install its system-call filter",
            Self::Descriptors => "close other descriptors",
            Self::Exec => "execute its program",
            Self::IdMappings => "get its ids mapped",
            Self::Namespaces => "enter a namespace",
            Self::TimeOffsets => "shift its clocks",
            Self::Mount => "mount",
            Self::Device => "make a device",
            Self::Console => "make its terminal",
            Self::Hook => "run a hook",
            Self::Sysctl => "set a kernel parameter",
            Self::Groups => "enter its control groups",
            Self::DomainName => "set its domain name",
            Self::OomScore => "set process.oomScoreAdj",
            Self::Rlimits => "set process.rlimits",
            Self::Scheduler => "set process.scheduler",
            Self::IoPriority => "set process.ioPriority",
            Self::MemoryPolicy => "set linux.memoryPolicy",
            Self::Personality => "set linux.personality",
            Self::Affinity => "set its processors",
            Self::Labels => "apply its security label",
            Self::Keyring => "get a keyring of its own; --no-new-keyring does without",
        })
    }
}

/// Why a container or a program in it was not started, or cannot be controlled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A string of the plan holds a zero byte, which the kernel cannot take.
    #[error("'{0}' contains a zero byte")]
    ZeroByte(String),
    /// The specification asks for something impossible.
    #[error("config.json: {0}")]
    Spec(#[from] crate::spec::InvalidSpec),
    /// The root file system of the bundle cannot be used.
    #[error("cannot use {path} as the root file system")]
    RootDirectory {
        /// As the specification names it, from the bundle.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A namespace that is named by its path.
    #[error("cannot open the namespace {path}")]
    Namespace {
        /// Its path.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The source of a mount.
    #[error("cannot bind {source_path} to {destination}")]
    BindSource {
        /// What was to be bound.
        source_path: PathBuf,
        /// Where to.
        destination: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The ids of a user namespace cannot be mapped.
    #[error("cannot map the ids of the user namespace; see /etc/subuid and newuidmap(1)")]
    IdMappings(#[source] io::Error),
    /// The socket that `start` connects to.
    #[error("cannot use the socket {path}")]
    StartSocket {
        /// The socket.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Interfaces of the host.
    #[error("cannot move a network interface into the container (linux.netDevices)")]
    NetDevices(#[source] io::Error),
    /// A class of service.
    #[error(transparent)]
    Rdt(#[from] crate::rdt::RdtError),
    /// A hook.
    #[error(transparent)]
    Hook(#[from] crate::hooks::HookError),
    /// A field of the process's description cannot be carried out.
    #[error(transparent)]
    InvalidProcess(#[from] crate::process::InvalidProcess),
    /// The system-call filter of the specification cannot be made.
    #[error(transparent)]
    Seccomp(#[from] jail::seccomp::oci::Error),
    /// Nobody takes the listener of the filter's notifications.
    #[error("cannot connect to linux.seccomp.listenerPath {path}; is its agent running?")]
    SeccompListener {
        /// The socket.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// There is no program to run.
    #[error("no program to run; give one after the image, or set an entrypoint in the image")]
    NoProgram,
    /// The control groups.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// No process.
    #[error(transparent)]
    Clone(#[from] jail::CloneError),
    /// The filter of containers is unsound.
    #[error("cannot build the system-call filter")]
    Filter(#[from] jail::seccomp::FilterError),
    /// The image's file cannot be mounted.
    #[error("cannot mount the image {path} (EROFS); is EROFS in this kernel, and is the file intact?")]
    Image {
        /// The image's file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// No place for the writable layer.
    #[error("cannot create {path} for the container's writable layer")]
    UpperLayer {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The control socket between the engine and the container's first process.
    #[error("cannot talk to the container's first process")]
    Control(#[source] io::Error),
    /// A step inside failed.
    #[error("the container could not {stage}{}", Detail(.detail))]
    Stage {
        /// Which step.
        stage: Stage,
        /// What it was about, for example a path; may be empty.
        detail: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The program is not in the image.
    #[error(
        "{}: program '{program}' not found in the image; check the command, the entrypoint and PATH",
        Execution(program, source)
    )]
    ProgramNotFound {
        /// As it was asked for.
        program: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The program is in the image, but what it needs to be loaded is not.
    #[error(
        "{}: program '{program}' exists in the image, but its interpreter (dynamic loader or '#!' program) does not",
        Execution(program, source)
    )]
    InterpreterNotFound {
        /// Its path inside.
        program: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The program cannot be executed.
    #[error(
        "{}: program '{program}' cannot be executed; it must be an executable file for this architecture",
        Execution(program, source)
    )]
    NotExecutable {
        /// Its path inside.
        program: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The supervisor of another isolation level says why its program does not run.
    #[error("{message}")]
    Reported {
        /// What that means for an exit status.
        class: FailureClass,
        /// Why.
        message: String,
    },
    /// The process ended before it reported anything, for example killed from outside.
    #[error("the container's first process ended while it was being set up")]
    Died,
    /// Not a signal.
    #[error("{0} is not a signal number")]
    InvalidSignal(i32),
    /// The process cannot be signalled or waited for.
    #[error("cannot control process {pid} of the container")]
    Process {
        /// The process, seen from the host.
        pid: i32,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// What runc says of a program that cannot be executed: engines look for these words.
struct Execution<'a>(&'a str, &'a io::Error);

impl fmt::Display for Execution<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(program, source) = self;
        match source.raw_os_error() {
            Some(libc::ENOENT) if !program.contains('/') => {
                write!(f, "exec: \"{program}\": executable file not found in $PATH")
            }
            Some(libc::ENOENT) => write!(f, "exec: \"{program}\": stat {program}: no such file or directory"),
            Some(libc::EACCES | libc::EPERM) => write!(f, "exec: \"{program}\": permission denied"),
            Some(libc::EISDIR) => write!(f, "exec: \"{program}\": is a directory"),
            Some(libc::ENOEXEC) => write!(f, "exec {program}: exec format error"),
            _ => write!(f, "exec {program}"),
        }
    }
}

/// A detail in parentheses, or nothing.
struct Detail<'a>(&'a String);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.0) }
    }
}

impl Error {
    /// What the failure means for the exit status of `coracle run`.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::ProgramNotFound { .. } | Self::InterpreterNotFound { .. } => FailureClass::NotFound,
            Self::NotExecutable { .. } => FailureClass::NotExecutable,
            Self::Reported { class, .. } => *class,
            _ => FailureClass::Engine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_find_their_words() {
        let source = |errno| io::Error::from_raw_os_error(errno);
        let absent =
            |program: &str| Error::ProgramNotFound { program: program.to_owned(), source: source(libc::ENOENT) };
        assert!(absent("tool").to_string().starts_with(r#"exec: "tool": executable file not found in $PATH: "#));
        assert!(absent("/a").to_string().starts_with(r#"exec: "/a": stat /a: no such file or directory: "#));
        for (errno, words) in [
            (libc::EACCES, r#"exec: "/a": permission denied: "#),
            (libc::EISDIR, r#"exec: "/a": is a directory: "#),
            (libc::ENOEXEC, "exec /a: exec format error: "),
        ] {
            let error = Error::NotExecutable { program: "/a".to_owned(), source: source(errno) }.to_string();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
