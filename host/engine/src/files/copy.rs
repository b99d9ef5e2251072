//! `coracle cp`.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, readlinkat, statat};

use super::archive::{Archive, attribute_names};
use super::put::{self, Attributes};
use super::{Root, extract, names_in, open_directory, open_file, open_in};
use crate::{Engine, Error};

/// Where something is copied from or to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyEnd {
    /// A path of the host.
    Local(PathBuf),
    /// A path in a container.
    Inside(String, PathBuf),
    /// A tar stream on standard input or output.
    Stream,
}

/// Never: every text is one of the three.
pub type ParseCopyEndError = Infallible;

impl std::str::FromStr for CopyEnd {
    type Err = ParseCopyEndError;

    /// Docker's rule: `NAME:PATH` is in a container unless a slash or a dot comes first.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once(':') {
            _ if text == "-" => Self::Stream,
            Some((name, path)) if !name.is_empty() && !text.starts_with(['/', '.']) && !name.contains('/') => {
                Self::Inside(name.to_owned(), path.into())
            }
            _ => Self::Local(text.into()),
        })
    }
}

/// How to copy.
#[derive(Debug, Clone, Copy, Default)]
pub struct CopyOptions {
    /// Keep owners.
    pub archive: bool,
    /// Copy what a link in the source path points to, not the link.
    pub follow: bool,
}

impl Engine {
    /// Copies files between a container and the host.
    pub fn copy(&self, from: &CopyEnd, to: &CopyEnd, options: CopyOptions) -> Result<(), Error> {
        let failed = |e| Error::System("copying", e);
        match (from, to) {
            (CopyEnd::Inside(name, path), CopyEnd::Local(local)) => {
                let root = self.root_for_copy(name)?;
                let host = host_root().map_err(failed)?;
                let to = std::path::absolute(local).map_err(failed)?;
                let to = with_slash(&to, local);
                let own = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
                Copier { options, own }.copy(root.as_fd(), path, host.as_fd(), &to)
            }
            (CopyEnd::Local(local), CopyEnd::Inside(name, path)) => {
                let root = self.root_for_copy(name)?;
                let host = host_root().map_err(failed)?;
                let from = std::path::absolute(local).map_err(failed)?;
                let from = with_slash(&from, local);
                Copier { options, own: (0, 0) }.copy(host.as_fd(), &from, root.as_fd(), path)
            }
            (CopyEnd::Inside(name, path), CopyEnd::Stream) => {
                let root = self.root_for_copy(name)?;
                send(root.as_fd(), path, options, &mut io::stdout().lock())
            }
            (CopyEnd::Stream, CopyEnd::Inside(name, path)) => {
                let root = self.root_for_copy(name)?;
                receive(root.as_fd(), path, options, &mut io::stdin().lock())
            }
            (CopyEnd::Inside(..), CopyEnd::Inside(..)) => {
                Err(Error::Invalid("copying from container to container: copy to the host first".to_owned()))
            }
            _ => Err(Error::Invalid("one of the two must be in a container: write NAME:PATH".to_owned())),
        }
    }

    fn root_for_copy(&self, name: &str) -> Result<Root, Error> {
        let instance = self.container(name, "cp")?;
        self.root_of(&instance, true)
    }
}

fn host_root() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// `absolute` forgets the dot and the slash at the end, which mean something.
fn with_slash(path: &Path, written: &Path) -> PathBuf {
    let text = written.as_os_str().as_bytes();
    let mut path = path.as_os_str().to_owned();
    if text.ends_with(b"/.") || text == b"." {
        path.push("/.");
    } else if text.ends_with(b"/") && path != "/" {
        path.push("/");
    }
    path.into()
}

/// What a path names: the directory that has it and its name there, or itself and no name; and what it is.
struct Found {
    dir: OwnedFd,
    name: PathBuf,
    stat: Stat,
}

/// Looks a path up inside a root; a link at its end is looked at itself, unless `follow`.
fn find(root: BorrowedFd<'_>, path: &Path, follow: bool) -> Result<Found, Error> {
    let failed = |e| Error::System("looking up the path inside", e);
    let here = || -> io::Result<Found> {
        let open = open_in(root, path, OFlags::PATH)?;
        let stat = rustix::fs::fstat(&open)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let dir = open_in(root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            return Ok(Found { dir, name: ".".into(), stat });
        }
        // The file itself is the place.
        Ok(Found { dir: open, name: PathBuf::new(), stat })
    };
    let ends_open = path.as_os_str().as_bytes().ends_with(b"/") || path.ends_with(".") || path.file_name().is_none();
    if follow || ends_open || path.as_os_str().as_bytes().ends_with(b"/.") {
        return here().map_err(failed);
    }
    let parent = open_in(root, path.parent().unwrap_or(Path::new("/")), OFlags::RDONLY | OFlags::DIRECTORY);
    let dir = parent.map_err(failed)?;
    let name = PathBuf::from(path.file_name().unwrap_or_default());
    let stat = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| failed(errno.into()))?;
    Ok(Found { dir, name, stat })
}

/// The name that a copy gets in an existing directory.
fn base_name(path: &Path) -> OsString {
    path.file_name().map_or_else(|| OsString::from("root"), OsStr::to_owned)
}

fn wants_content(path: &Path) -> bool {
    let text = path.as_os_str().as_bytes();
    text == b"." || text.ends_with(b"/.")
}

fn send(root: BorrowedFd<'_>, path: &Path, options: CopyOptions, out: &mut dyn Write) -> Result<(), Error> {
    let failed = |e| Error::System("writing the archive", e);
    let found = find(root, path, options.follow)?;
    let mut archive = Archive::new(out);
    let directory = FileType::from_raw_mode(found.stat.st_mode) == FileType::Directory;
    let name = PathBuf::from(if wants_content(path) { OsString::from(".") } else { base_name(path) });
    let written = if directory {
        archive.add_tree(found.dir.as_fd(), &found.name, &name)
    } else {
        reopened(&found).and_then(|(dir, file)| archive.add(dir.as_fd(), &file, &name, &found.stat))
    };
    written.and_then(|()| archive.finish()).map_err(failed)
}

/// The directory and the name to open it by; what was found by itself is opened for reading, by descriptor.
fn reopened(found: &Found) -> io::Result<(OwnedFd, PathBuf)> {
    use std::os::fd::AsRawFd;
    if !found.name.as_os_str().is_empty() {
        return Ok((found.dir.try_clone()?, found.name.clone()));
    }
    if FileType::from_raw_mode(found.stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("what the link leads to is neither file nor directory"));
    }
    let file = std::fs::File::open(format!("/proc/self/fd/{}", found.dir.as_raw_fd()))?;
    Ok((file.into(), PathBuf::new()))
}

fn receive(root: BorrowedFd<'_>, path: &Path, options: CopyOptions, input: &mut dyn Read) -> Result<(), Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    open_in(root, path, flags).map_err(|e| Error::System("an archive is unpacked into a directory that exists", e))?;
    extract::extract(root, path, input, options.archive, (0, 0)).map_err(|e| Error::System("unpacking the archive", e))
}

struct Copier {
    options: CopyOptions,
    /// Who owns the copies, unless owners are kept.
    own: (u32, u32),
}

impl Copier {
    fn copy(&self, from: BorrowedFd<'_>, path: &Path, to: BorrowedFd<'_>, target: &Path) -> Result<(), Error> {
        let source = find(from, path, self.options.follow)?;
        let directory = FileType::from_raw_mode(source.stat.st_mode) == FileType::Directory;
        let (dir, name) = self.place(to, target, directory, path)?;
        let done = if directory {
            let opened = if source.name == Path::new(".") {
                source.dir.try_clone()
            } else {
                open_directory(source.dir.as_fd(), &source.name)
            };
            opened.and_then(|opened| self.directory(opened.as_fd(), &source.stat, dir.as_fd(), &name))
        } else {
            reopened(&source)
                .and_then(|(place, file)| self.entry(place.as_fd(), &file, &source.stat, dir.as_fd(), &name))
        };
        done.map_err(|e| Error::System("copying", e))
    }

    /// The directory and the name of the copy: Docker's rules for what exists at the target and what is copied.
    fn place(
        &self,
        to: BorrowedFd<'_>,
        target: &Path,
        directory: bool,
        from: &Path,
    ) -> Result<(OwnedFd, PathBuf), Error> {
        let shown = target.display();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let text = target.as_os_str().as_bytes();
        let must_be_directory = text.ends_with(b"/") || text.ends_with(b"/.");
        match open_in(to, target, flags) {
            Ok(dir) if directory && wants_content(from) => return Ok((dir, ".".into())),
            Ok(dir) => return Ok((dir, base_name(from).into())),
            Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) && directory => {
                return Err(Error::Invalid(format!("cannot copy a directory to the file {shown}")));
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) && must_be_directory => {
                return Err(Error::Invalid(format!("{shown} is no directory")));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && must_be_directory && !directory => {
                return Err(Error::Invalid(format!("the directory {shown} does not exist; make it first")));
            }
            Err(_) => {}
        }
        let parent = target.parent().unwrap_or(Path::new("/"));
        let dir = open_in(to, parent, flags).map_err(|source| Error::File {
            action: "opening the directory of the copy,",
            path: parent.to_owned(),
            source,
        })?;
        Ok((dir, base_name(target).into()))
    }

    fn attributes(&self, stat: &Stat) -> Attributes {
        let (uid, gid) = if self.options.archive { (stat.st_uid, stat.st_gid) } else { self.own };
        Attributes { mode: stat.st_mode, uid, gid, mtime: (stat.st_mtime, stat.st_mtime_nsec as i64) }
    }

    fn directory(&self, from: BorrowedFd<'_>, stat: &Stat, to: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
        let here = put::directory(to, name)?;
        for child in names_in(from)? {
            let child = Path::new(&child);
            let stat = match statat(from, child, AtFlags::SYMLINK_NOFOLLOW) {
                // It went away meanwhile.
                Err(rustix::io::Errno::NOENT) => continue,
                other => other?,
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                self.directory(open_directory(from, child)?.as_fd(), &stat, here.as_fd(), child)?;
            } else {
                self.entry(from, child, &stat, here.as_fd(), child)?;
            }
        }
        // The directory that was copied into stays as it was.
        if name == Path::new(".") { Ok(()) } else { put::set(to, name, self.attributes(stat), false) }
    }

    /// Copies what is no directory. Without a name, `from` is the file itself.
    fn entry(&self, from: BorrowedFd<'_>, name: &Path, stat: &Stat, to: BorrowedFd<'_>, new: &Path) -> io::Result<()> {
        let attributes = self.attributes(stat);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let mut file = open_file(from, name)?;
                put::file(to, new, attributes, &mut file)?;
                let copy = open_file(to, new)?;
                for name in attribute_names(&file)? {
                    let mut value = vec![0u8; 64 << 10];
                    let length = rustix::fs::fgetxattr(&file, &name, &mut value[..])?;
                    match rustix::fs::fsetxattr(&copy, &name, &value[..length], rustix::fs::XattrFlags::empty()) {
                        Err(rustix::io::Errno::OPNOTSUPP) => break,
                        other => other?,
                    }
                }
                Ok(())
            }
            FileType::Symlink => {
                let target = readlinkat(from, name, Vec::new())?;
                put::symlink(to, new, Path::new(OsStr::from_bytes(target.to_bytes())), attributes)
            }
            FileType::Fifo => put::node(to, new, FileType::Fifo, 0, attributes),
            kind @ (FileType::CharacterDevice | FileType::BlockDevice) => {
                put::node(to, new, kind, stat.st_rdev, attributes)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_docker_reads_them() {
        let end = |text: &str| text.parse::<CopyEnd>().unwrap();
        assert_eq!(end("web:/etc"), CopyEnd::Inside("web".into(), "/etc".into()));
        assert_eq!(end("-"), CopyEnd::Stream);
        for local in ["./a:b", "/a:b", "dir/a:b", "plain", ":x"] {
            assert_eq!(end(local), CopyEnd::Local(local.into()));
        }
    }
}
