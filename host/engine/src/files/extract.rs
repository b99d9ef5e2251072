//! A tar stream that becomes files of a container.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;

use super::put::{self, Attributes};

/// Unpacks a stream into a directory of a root. Its names stay below that directory, and links that lie there lead nowhere
/// but inside the root. With `owners` files get those that the stream says, else `owner`.
pub(super) fn extract(
    root: BorrowedFd<'_>,
    into: &Path,
    input: &mut dyn Read,
    owners: bool,
    owner: (u32, u32),
) -> io::Result<()> {
    let mut archive = tar::Archive::new(input);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = clean(&entry.path()?)?;
        let Some(name) = path.file_name().map(PathBuf::from) else { continue };
        let parent = put::directories(root, &into.join(path.parent().unwrap_or(Path::new(""))))?;
        let header = entry.header();
        let id = |read: io::Result<u64>, other| if owners { read.map(|id| id as u32) } else { Ok(other) };
        let attributes = Attributes {
            mode: header.mode()?,
            uid: id(header.uid(), owner.0)?,
            gid: id(header.gid(), owner.1)?,
            mtime: (i64::try_from(header.mtime()?).unwrap_or(0), 0),
        };
        let dir = parent.as_fd();
        let target = entry.link_name()?.map(std::borrow::Cow::into_owned);
        let kind = header.entry_type();
        match (kind, target) {
            (tar::EntryType::Directory, _) => {
                put::directory(dir, &name)?;
                put::set(dir, &name, attributes, false)?;
            }
            (tar::EntryType::Symlink, Some(target)) => put::symlink(dir, &name, &target, attributes)?,
            (tar::EntryType::Link, Some(target)) => {
                let target = clean(&target)?;
                let from = put::directories(root, &into.join(target.parent().unwrap_or(Path::new(""))))?;
                let old = target.file_name().map(PathBuf::from).unwrap_or_default();
                put::link(dir, &name, from.as_fd(), &old)?;
            }
            (tar::EntryType::Fifo, _) => put::node(dir, &name, FileType::Fifo, 0, attributes)?,
            (tar::EntryType::Char | tar::EntryType::Block, _) => {
                let number = |read: io::Result<Option<u32>>| read.map(Option::unwrap_or_default);
                let device = rustix::fs::makedev(number(header.device_major())?, number(header.device_minor())?);
                let block = kind == tar::EntryType::Block;
                let kind = if block { FileType::BlockDevice } else { FileType::CharacterDevice };
                put::node(dir, &name, kind, device, attributes)?;
            }
            (kind, _) if kind.is_file() => put::file(dir, &name, attributes, &mut entry)?,
            // Descriptions of the stream itself.
            _ => {}
        }
    }
    Ok(())
}

/// A name below the directory that is unpacked into.
fn clean(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                return Err(io::Error::other(format!("the archive has a path that leaves it: {}", path.display())));
            }
            _ => {}
        }
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn archive(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        builder.into_inner().unwrap()
    }

    fn header(kind: tar::EntryType, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(7);
        header
    }

    #[test]
    fn nothing_leaves_the_root() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bytes = archive(|tar| {
            let mut link = header(tar::EntryType::Symlink, 0);
            tar.append_link(&mut link, "way", outside.path()).unwrap();
            tar.append_data(&mut header(tar::EntryType::Regular, 2), "way/file", &b"no"[..]).unwrap();
        });
        let open = fs::File::open(root.path()).unwrap();
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let unpack = || extract(open.as_fd(), Path::new("/"), &mut &bytes[..], false, owner);
        assert!(unpack().is_err(), "inside, the link leads nowhere yet");
        let inside = root.path().join(outside.path().strip_prefix("/").unwrap());
        fs::create_dir_all(&inside).unwrap();
        unpack().unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "something was made outside");
        assert_eq!(fs::read(inside.join("file")).unwrap(), b"no", "the link leads inside");
        for path in ["../up", "a/../../up"] {
            assert!(clean(Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_not_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = outside.path().join("victim");
        fs::write(&victim, "old").unwrap();
        std::os::unix::fs::symlink(&victim, root.path().join("file")).unwrap();
        let bytes = archive(|tar| {
            tar.append_data(&mut header(tar::EntryType::Regular, 3), "file", &b"new"[..]).unwrap();
        });
        let open = fs::File::open(root.path()).unwrap();
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        extract(open.as_fd(), Path::new("/"), &mut &bytes[..], false, owner).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"old");
        assert_eq!(fs::read(root.path().join("file")).unwrap(), b"new");
    }
}
