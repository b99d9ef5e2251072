//! Volumes: one virtio-fs for all of them, served by Debian's `virtiofsd`.
//!
//! The server sees only a small directory that holds each volume as a bind mount, in a mount namespace of its own; so a
//! volume may be a single file, and a read-only volume is read-only on the host's side. It pivots into that directory and
//! ends when QEMU closes its connection.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use plan::Volume;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};

use crate::Error;
use crate::spawn::{Confinement, spawn, unshare_mounts};

/// Where distributions put the server.
const SERVERS: [&str; 4] =
    ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd", "/usr/bin/virtiofsd"];

/// The directory of the bind mounts, in the instance's state directory.
const TREE: &str = "volumes";

/// Why a volume cannot be shared.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The server is not installed.
    #[error(
        "volumes of a microVM need virtiofsd, which is not installed; install the package qemu-system-common or virtiofsd"
    )]
    NoServer,
    /// Sharing needs mounts.
    #[error("volumes of a microVM need root, to give the file server a mount namespace of its own")]
    NoRoot,
    /// The host's path cannot be used.
    #[error("volume {}: not usable", path.display())]
    Source {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path in the guest is not text.
    #[error("volume target {} is not UTF-8", .0.display())]
    Target(PathBuf),
    /// Neither file nor directory.
    #[error("volume {} is neither a directory nor a regular file", .0.display())]
    Kind(PathBuf),
    /// A mount failed.
    #[error("sharing the volume {}", path.display())]
    Mount {
        /// The volume.
        path: PathBuf,
        /// Why.
        source: Errno,
    },
}

/// What the agent is to mount where.
pub(crate) fn for_agent(volumes: &[Volume]) -> Result<Vec<agent_proto::Volume>, VolumeError> {
    volumes.iter().enumerate().map(|(index, volume)| describe(index, volume)).collect()
}

fn describe(index: usize, volume: &Volume) -> Result<agent_proto::Volume, VolumeError> {
    let source = |source| VolumeError::Source { path: volume.host.clone(), source };
    let kind = fs::metadata(&volume.host).map_err(source)?.file_type();
    if !kind.is_dir() && !kind.is_file() {
        return Err(VolumeError::Kind(volume.host.clone()));
    }
    let target = volume.guest.to_str().ok_or_else(|| VolumeError::Target(volume.guest.clone()))?.to_owned();
    Ok(agent_proto::Volume { entry: entry(index), target, directory: kind.is_dir(), read_only: volume.read_only })
}

fn entry(index: usize) -> String {
    format!("v{index}")
}

/// A running server. Ends with its connection.
pub(crate) struct VolumeServer {
    child: Child,
}

impl VolumeServer {
    /// Starts the server; the second value is QEMU's end of the connection.
    pub(crate) fn start(volumes: &[Volume], state_dir: &Path) -> Result<(Self, OwnedFd), Error> {
        let server = SERVERS.into_iter().find(|path| Path::new(path).exists()).ok_or(VolumeError::NoServer)?;
        if !rustix::process::geteuid().is_root() {
            return Err(VolumeError::NoRoot.into());
        }
        let tree = state_dir.join(TREE);
        fs::create_dir_all(&tree).map_err(Error::file("making", &tree))?;
        let (listener, stream) = connect(state_dir).map_err(Error::file("making a socket in", state_dir))?;
        let log = state_dir.join("virtiofsd.log");
        let log = File::create(&log).map_err(Error::file("making", log))?;
        // Mount namespaces belong to threads: only this one gets a new one, and the server inherits it.
        let child = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                share(volumes, &tree)?;
                serve(server, &tree, &listener, log).map_err(|source| Error::Spawn { program: "virtiofsd", source })
            });
            thread.join().unwrap_or_else(|_| Err(VolumeError::NoServer.into()))
        })?;
        Ok((Self { child }, stream.into()))
    }

    /// Ends it, if it has not ended with QEMU, and reaps it.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// A listening socket and a connection to it. The state directory's path may be longer than a socket's name can be, so
/// it is reached through its descriptor; nobody else can connect, since the name is gone before the server is there.
fn connect(state_dir: &Path) -> io::Result<(UnixListener, UnixStream)> {
    let dir = rustix::fs::open(state_dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/virtiofs.sock", dir.as_raw_fd()));
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    let stream = UnixStream::connect(&path)?;
    fs::remove_file(&path)?;
    Ok((listener, stream))
}

/// Moves the calling thread into a new mount namespace and mounts the volumes at `tree`.
fn share(volumes: &[Volume], tree: &Path) -> Result<(), Error> {
    let here = |source| VolumeError::Mount { path: tree.to_owned(), source };
    unshare_mounts().map_err(here)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(here)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("volumes", tree, "tmpfs", flags, c"mode=755,size=1m").map_err(here)?;
    for (index, volume) in volumes.iter().enumerate() {
        let target = tree.join(entry(index));
        let source = |source| VolumeError::Source { path: volume.host.clone(), source };
        if fs::metadata(&volume.host).map_err(source)?.is_dir() {
            fs::create_dir(&target).map_err(source)?;
        } else {
            File::create(&target).map_err(source)?;
        }
        bind(volume, &target).map_err(|source| VolumeError::Mount { path: volume.host.clone(), source })?;
    }
    mount_remount(tree, flags | MountFlags::RDONLY, c"").map_err(here)?;
    Ok(())
}

/// Making a bind mount read-only does not reach the mounts below it, so a read-only volume is without them.
fn bind(volume: &Volume, target: &Path) -> rustix::io::Result<()> {
    if !volume.read_only {
        return mount_bind_recursive(&volume.host, target);
    }
    mount_bind(&volume.host, target)?;
    mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, c"")
}

fn serve(server: &str, tree: &Path, listener: &UnixListener, log: File) -> io::Result<Child> {
    let fd = listener.as_raw_fd();
    let mut command = Command::new(server);
    command.arg(format!("--fd={fd}")).arg("-o").arg(format!("source={}", tree.display()));
    // Raising the limit needs a capability that containers and virtual hosts often lack.
    command.args(["-o", "cache=auto,log_level=warn", "--rlimit-nofile=0"]);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir("/");
    let confinement = Confinement { descriptors: vec![fd], uid: None, group: None, dies_with_parent: false };
    spawn(&mut command, confinement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_described_and_checked() {
        let volume = |host: &str| Volume { host: host.into(), guest: "/data".into(), read_only: true };
        let described = for_agent(&[volume("/etc"), volume("/etc/passwd")]).unwrap();
        assert_eq!((described[0].entry.as_str(), described[0].directory), ("v0", true));
        assert_eq!((described[1].entry.as_str(), described[1].directory), ("v1", false));
        assert!(matches!(for_agent(&[volume("/nonexistent")]), Err(VolumeError::Source { .. })));
        assert!(matches!(for_agent(&[volume("/dev/null")]), Err(VolumeError::Kind(_))));
    }
}
