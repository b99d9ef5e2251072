use std::os::fd::OwnedFd;
use std::path::Path;

use cgroup::Group;
use oci_spec::runtime::{Spec, State};
use plan::Stdio;

/// A container to be made.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its name, which hooks see.
    pub id: &'a str,
    /// What it is (config.json of the OCI runtime specification).
    pub spec: &'a Spec,
    /// The bundle's directory: relative paths of the specification start here.
    pub bundle: &'a Path,
    /// Where its root file system comes from.
    pub root: RootSource<'a>,
    /// Its first process's standard streams.
    pub io: Io,
    /// Its control groups, made by the caller.
    pub cgroup: &'a Group,
    /// What the caller's command line says besides.
    pub options: Options<'a>,
}

/// Where a root file system comes from.
#[derive(Debug, Clone, Copy)]
pub enum RootSource<'a> {
    /// The directory that `root.path` names.
    Spec,
    /// An image as one EROFS file, below a layer of the container's own.
    Image {
        /// The image.
        erofs: &'a Path,
        /// A directory for the writable layer (its subdirectories `upper` and `work`); none for a read-only root.
        layer: Option<&'a Path>,
        /// The layer is thrown away with the container: it need never be synchronised to the disk.
        volatile: bool,
    },
    /// A directory below a layer of the container's own: an image for a caller who may not mount one.
    Layered {
        /// The directory, which nothing changes.
        lower: &'a Path,
        /// As for an image.
        layer: Option<&'a Path>,
        /// As for an image.
        volatile: bool,
    },
}

/// The standard streams of a program.
#[derive(Debug)]
pub enum Io {
    /// The caller's own.
    Inherit,
    /// These.
    Given(Stdio),
    /// A new terminal of the container's; its manager's side is sent over this socket (`SCM_RIGHTS`, unix(7)).
    ConsoleSocket(OwnedFd),
}

/// How a container is made, apart from its specification.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Changes the root with `MS_MOVE` and chroot(2), for hosts whose root is the initial ramfs.
    pub no_pivot: bool,
    /// Stays in the caller's session keyring (keyrings(7)).
    pub no_new_keyring: bool,
    /// How many descriptors after the standard streams the program inherits.
    pub preserve_fds: u32,
    /// How many of these are sockets that the program is told of, by the protocol of sd_listen_fds(3).
    pub listen_fds: u32,
    /// Installs [`jail::seccomp::container_default`] if the specification has no filter: ready-made, it costs nothing to build.
    pub default_filter: bool,
    /// Where the socket `start` is made, for [`start`](crate::start) from another process.
    pub state_dir: Option<&'a Path>,
}

/// How a further program is run, apart from its specification.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecOptions<'a> {
    /// Stays in the caller's session keyring.
    pub no_new_keyring: bool,
    /// How many descriptors after the standard streams the program inherits.
    pub preserve_fds: u32,
    /// How many of these are sockets that the program is told of, by the protocol of sd_listen_fds(3).
    pub listen_fds: u32,
    /// The container's state, which the agent of a filter's notifications is told.
    pub state: Option<&'a State>,
    /// Installs [`jail::seccomp::container_default`] if the specification has no filter: ready-made, it costs nothing to build.
    pub default_filter: bool,
}
