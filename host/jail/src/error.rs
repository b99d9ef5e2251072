use std::fmt;
use std::io;

use crate::CloneError;

/// The steps of making an [`EmptyContainer`](crate::EmptyContainer), in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Cut the mounts off from the host's.
    PrivateMounts,
    /// Mount the empty root.
    Root,
    /// Attach the volumes.
    Volumes,
    /// Leave the host's file system.
    Pivot,
    /// Put the descriptors in their places.
    Descriptors,
    /// Set resource limits.
    Limits,
    /// Wait until the parent has put the process into its cgroup.
    CgroupWait,
    /// Give up user, groups and capabilities.
    Privileges,
    /// Install the system-call filter.
    Seccomp,
    /// Execute the program.
    Exec,
}

impl Stage {
    const ALL: [Self; 10] = [
        Self::PrivateMounts,
        Self::Root,
        Self::Volumes,
        Self::Pivot,
        Self::Descriptors,
        Self::Limits,
        Self::CgroupWait,
        Self::Privileges,
        Self::Seccomp,
        Self::Exec,
    ];

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrivateMounts => "make its mounts private",
            Self::Root => "mount its empty root file system",
            Self::Volumes => "attach its volumes",
            Self::Pivot => "leave the host's file system",
            Self::Descriptors => "arrange its descriptors",
            Self::Limits => "set its resource limits",
            Self::CgroupWait => "wait for its control group",
            Self::Privileges => "drop its privileges",
            Self::Seccomp => "install its system-call filter",
            Self::Exec => "execute its program",
        })
    }
}

/// Why an empty container was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No process.
    #[error(transparent)]
    Clone(#[from] CloneError),
    /// No pipe between parent and child.
    #[error("cannot create the jail's control pipe")]
    Pipe(#[source] io::Error),
    /// Two descriptors with one number, or a negative number.
    #[error("each descriptor of the jail needs a number of its own, 0 or above")]
    Descriptors,
    /// A volume's path inside is not one plain relative path.
    #[error("the jail cannot hold a volume at '{0}'; the path must be relative, without '.', '..' or empty parts")]
    VolumePath(String),
    /// A volume cannot be copied into the jail.
    #[error("cannot open the volume '{path}' for the jail")]
    VolumeOpen {
        /// Its path inside.
        path: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The file system of a volume cannot translate owners.
    #[error(
        "the file system of volume '{path}' cannot map user ids (mount_setattr); move the directory to ext4, xfs, btrfs or tmpfs"
    )]
    VolumeIds {
        /// Its path inside.
        path: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// No user namespace for the mapping of owners.
    #[error(
        "cannot create the user namespace that maps the owners of volumes; see user.max_user_namespaces of namespaces(7)"
    )]
    UserNamespace(#[source] io::Error),
    /// The process could not be put into its cgroup.
    #[error("cannot put the jailed process into its control group")]
    Attach(#[source] crate::empty::AttachError),
    /// A step inside failed.
    #[error("the jailed process could not {stage}")]
    Stage {
        /// Which step.
        stage: Stage,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The process ended before it reported anything.
    #[error("the jailed process died while it was being set up")]
    Died,
}
