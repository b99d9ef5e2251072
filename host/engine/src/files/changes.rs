//! What a container has changed in its image: the upper layer of its overlayfs (overlayfs.rst of the kernel).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use image::erofs::{FileKind, Reader};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, statat};
use serde::Serialize;

use super::{names_in, open_directory};
use crate::{Engine, Error, Instance};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What was done.
    pub kind: ChangeKind,
    /// To which file, as seen inside.
    pub path: PathBuf,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is not in the image.
    Added,
    /// It is in the image, and another now.
    Changed,
    /// It is in the image, and gone.
    Deleted,
}

impl ChangeKind {
    /// Docker's letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Changed => 'C',
            Self::Deleted => 'D',
        }
    }
}

impl Engine {
    /// What a container has changed in its image, in order of the paths.
    pub fn diff(&self, what: &str) -> Result<Vec<Change>, Error> {
        let instance = self.container(what, "diff")?;
        let mut changes = Vec::new();
        let upper = Upper::open(&instance)?;
        if let Some(upper) = upper {
            upper.walk(&mut |step| {
                changes.push(Change { kind: step.kind, path: Path::new("/").join(step.path) });
                Ok(())
            })?;
        }
        Ok(changes)
    }
}

/// A container's writable layer, and the image below.
pub(super) struct Upper {
    root: OwnedFd,
    image: Reader<std::fs::File>,
    /// Mount points that were made for the start: not the program's doing.
    ours: Vec<PathBuf>,
}

/// One change, where it lies.
pub(super) struct Step<'a> {
    pub(super) kind: ChangeKind,
    pub(super) path: &'a Path,
    /// Its directory in the layer, its name there, and what it is; a file that is gone has none.
    pub(super) place: Option<(BorrowedFd<'a>, &'a Path, Stat)>,
    /// A directory that hides what the image has in its place.
    pub(super) opaque: bool,
}

type Visit<'a> = &'a mut dyn FnMut(&Step<'_>) -> io::Result<()>;

impl Upper {
    /// `None` if it has no layer: it was never started, or its root is read-only.
    pub(super) fn open(instance: &Instance) -> Result<Option<Self>, Error> {
        let path = instance.dir().join("upper");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(root) => root,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(Error::file("opening", path)(errno.into())),
        };
        let plan = &instance.plan;
        let image =
            Reader::open(&plan.rootfs.erofs).map_err(|source| Error::Analysis { image: plan.image.clone(), source })?;
        let usual = ["proc", "sys", "dev", "etc/hosts", "etc/hostname", "etc/resolv.conf"].map(PathBuf::from);
        let volumes = plan.volumes.iter().filter_map(|v| v.guest.strip_prefix("/").ok().map(Path::to_owned));
        Ok(Some(Self { root, image, ours: usual.into_iter().chain(volumes).collect() }))
    }

    pub(super) fn walk(&self, visit: Visit<'_>) -> Result<(), Error> {
        self.directory(self.root.as_fd(), Path::new(""), false, visit)
            .map_err(|e| Error::System("reading the container's changes", e))
    }

    fn directory(&self, dir: BorrowedFd<'_>, path: &Path, opaque: bool, visit: Visit<'_>) -> io::Result<()> {
        let names = names_in(dir)?;
        if opaque {
            for name in self.below(path)?.into_iter().filter(|name| !names.contains(name)) {
                let gone = path.join(name);
                visit(&Step { kind: ChangeKind::Deleted, path: &gone, place: None, opaque: false })?;
            }
        }
        for name in &names {
            let child = path.join(name);
            self.entry(dir, Path::new(name), &child, visit)?;
        }
        Ok(())
    }

    fn entry(&self, dir: BorrowedFd<'_>, name: &Path, path: &Path, visit: Visit<'_>) -> io::Result<()> {
        let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            // It went away meanwhile.
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            other => other?,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let below = self.image.lookup_no_follow(path.as_os_str().as_bytes()).ok();
        // A whiteout.
        if kind == FileType::CharacterDevice && stat.st_rdev == 0 {
            return match below {
                Some(_) => visit(&Step { kind: ChangeKind::Deleted, path, place: None, opaque: false }),
                None => Ok(()),
            };
        }
        if kind != FileType::Directory {
            if below.is_none() && stat.st_size == 0 && self.is_ours(path) {
                return Ok(());
            }
            let kind = if below.is_some() { ChangeKind::Changed } else { ChangeKind::Added };
            return visit(&Step { kind, path, place: Some((dir, name, stat)), opaque: false });
        }
        let here = open_directory(dir, name)?;
        let was_directory = below.as_ref().is_some_and(|inode| inode.kind == FileKind::Directory);
        let opaque = was_directory && is_opaque(&here);
        let ours_inside = self.ours.iter().any(|ours| ours.starts_with(path));
        if ours_inside && self.only_ours(here.as_fd(), path)? {
            return Ok(());
        }
        let kind = if below.is_some() { ChangeKind::Changed } else { ChangeKind::Added };
        visit(&Step { kind, path, place: Some((dir, name, stat)), opaque })?;
        self.directory(here.as_fd(), path, opaque, visit)
    }

    /// Whether a directory holds nothing but mount points, which a start made.
    fn only_ours(&self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<bool> {
        for name in names_in(dir)? {
            let child = path.join(&name);
            let stat = statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            let fine = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let inside = self.ours.iter().any(|ours| ours.starts_with(&child));
                    inside && self.only_ours(open_directory(dir, Path::new(&name))?.as_fd(), &child)?
                }
                _ => stat.st_size == 0 && stat.st_rdev == 0 && self.is_ours(&child),
            };
            if !fine {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_ours(&self, path: &Path) -> bool {
        self.ours.iter().any(|ours| ours == path)
    }

    /// The names that the image has in a directory.
    fn below(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        let read = || -> Result<_, image::ErofsError> {
            let inode = self.image.lookup_no_follow(path.as_os_str().as_bytes())?;
            self.image.read_dir(&inode)
        };
        let entries = read().map_err(io::Error::other)?;
        let names = entries.into_iter().map(|entry| std::ffi::OsStr::from_bytes(&entry.name).to_owned());
        Ok(names.filter(|name| name != "." && name != "..").collect())
    }
}

fn is_opaque(dir: &OwnedFd) -> bool {
    let mut value = [0u8; 8];
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .into_iter()
        .any(|name| rustix::fs::fgetxattr(dir, name, &mut value[..]).is_ok_and(|n| value[..n] == *b"y"))
}
