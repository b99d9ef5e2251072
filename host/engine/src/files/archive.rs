//! Trees as tar streams (tar(5)), with extended attributes as in layers (`SCHILY.xattr`).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Stat, readlinkat, statat};

use super::{names_in, open_directory, open_file};

/// A tar stream that is being written.
pub(super) struct Archive<'a> {
    out: tar::Builder<&'a mut dyn Write>,
    /// Files with several names, and the first of them.
    links: HashMap<(u64, u64), PathBuf>,
}

impl<'a> Archive<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out: tar::Builder::new(out), links: HashMap::new() }
    }

    /// Adds one thing and, if it is a directory, all that is in it. Sockets are left out: they mean nothing elsewhere.
    pub(super) fn add_tree(&mut self, dir: BorrowedFd<'_>, name: &Path, path: &Path) -> io::Result<()> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        self.add(dir, name, path, &stat)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            self.add_content(open_directory(dir, name)?.as_fd(), path)?;
        }
        Ok(())
    }

    /// Adds all that is in a directory.
    pub(super) fn add_content(&mut self, dir: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
        for name in names_in(dir)? {
            match self.add_tree(dir, Path::new(&name), &path.join(&name)) {
                // It went away meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Adds one thing.
    pub(super) fn add(&mut self, dir: BorrowedFd<'_>, name: &Path, path: &Path, stat: &Stat) -> io::Result<()> {
        let mut header = header(stat);
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_nlink > 1 && kind != FileType::Directory {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                header.set_entry_type(tar::EntryType::Link);
                return self.out.append_link(&mut header, path, first);
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.to_owned());
        }
        let plain = |header: &mut tar::Header, kind| header.set_entry_type(kind);
        match kind {
            FileType::RegularFile => {
                let file = open_file(dir, name)?;
                self.add_attributes(&file)?;
                header.set_size(stat.st_size as u64);
                plain(&mut header, tar::EntryType::Regular);
                // One that shrinks meanwhile must not spoil the stream.
                let data = file.chain(io::repeat(0)).take(stat.st_size as u64);
                self.out.append_data(&mut header, path, data)
            }
            FileType::Directory => {
                self.add_attributes(open_directory(dir, name)?)?;
                plain(&mut header, tar::EntryType::Directory);
                self.out.append_data(&mut header, path.join(""), io::empty())
            }
            FileType::Symlink => {
                let target = readlinkat(dir, name, Vec::new())?;
                plain(&mut header, tar::EntryType::Symlink);
                self.out.append_link(&mut header, path, Path::new(OsStr::from_bytes(target.to_bytes())))
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                let block = kind == FileType::BlockDevice;
                plain(&mut header, if block { tar::EntryType::Block } else { tar::EntryType::Char });
                header.set_device_major(rustix::fs::major(stat.st_rdev))?;
                header.set_device_minor(rustix::fs::minor(stat.st_rdev))?;
                self.out.append_data(&mut header, path, io::empty())
            }
            FileType::Fifo => {
                plain(&mut header, tar::EntryType::Fifo);
                self.out.append_data(&mut header, path, io::empty())
            }
            _ => Ok(()),
        }
    }

    /// Adds an empty file that means something to whoever applies a layer (image-spec, layer.md: whiteouts).
    pub(super) fn add_mark(&mut self, path: &Path) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(0);
        self.out.append_data(&mut header, path, io::empty())
    }

    fn add_attributes(&mut self, file: impl AsFd) -> io::Result<()> {
        let mut found = Vec::new();
        for name in attribute_names(&file)? {
            let mut value = vec![0u8; 64 << 10];
            if let Ok(length) = rustix::fs::fgetxattr(&file, &name, &mut value[..]) {
                value.truncate(length);
                found.push((format!("SCHILY.xattr.{name}"), value));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        self.out.append_pax_extensions(found.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    }

    /// Writes the end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.finish()
    }
}

/// The attributes that belong to the file, not to how it is stored.
pub(super) fn attribute_names(file: impl AsFd) -> io::Result<Vec<String>> {
    let mut list = vec![0u8; 64 << 10];
    let length = match rustix::fs::flistxattr(file, &mut list[..]) {
        Ok(length) => length,
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        Err(errno) => return Err(errno.into()),
    };
    let names = list[..length].split(|b| *b == 0).filter_map(|name| String::from_utf8(name.to_vec()).ok());
    Ok(names.filter(|name| name.starts_with("user.") || name == "security.capability").collect())
}

fn header(stat: &Stat) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(u64::from(stat.st_uid));
    header.set_gid(u64::from(stat.st_gid));
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}
