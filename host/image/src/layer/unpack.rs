use std::fs::File;
use std::io::Read;

use super::{Entry, EntryKind, TarError, TarReader};
use crate::Limits;
use crate::erofs::{DataWriter, WriteError};
use crate::tree::{Attributes, Content, Tree, TreeError, shown};

/// A layer that cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The tar stream is bad.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// An entry has no place.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A file's data could not be written.
    #[error("cannot unpack '{path}'")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: WriteError,
    },
    /// The image could not be completed.
    #[error(transparent)]
    Image(#[from] WriteError),
    /// The files of the image are larger together than allowed.
    #[error("the image's files have more than {0} bytes; raise the limit if you trust the source")]
    TooManyBytes(u64),
    /// The image has more entries than allowed, counting those that replace others.
    #[error("the image has more than {0} entries; raise the limit if you trust the source")]
    TooManyEntries(u64),
    /// A file has more extended attributes than allowed.
    #[error("'{path}' has {bytes} bytes of extended attributes, more than the allowed {limit}")]
    TooManyXattrs {
        /// The file.
        path: String,
        /// Bytes of names and values.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A symbolic link's target is empty or longer than the kernel allows.
    #[error("symbolic link '{0}' has an empty or too long target")]
    BadSymlink(String),
    /// A whiteout that hides no name.
    #[error("whiteout '{0}' names nothing")]
    BadWhiteout(String),
}

/// Applies layers, lowest first, and writes the resulting file system.
pub(crate) struct Unpacker {
    tree: Tree,
    data: DataWriter,
    limits: Limits,
    entries: u64,
    bytes: u64,
}

impl Unpacker {
    /// Starts an image in an empty file.
    pub(crate) fn new(image: File, limits: &Limits) -> Result<Self, WriteError> {
        Ok(Self {
            tree: Tree::new(limits),
            data: DataWriter::new(image)?,
            limits: limits.clone(),
            entries: 0,
            bytes: 0,
        })
    }

    /// Applies one layer, and gives back its stream, which may have more behind the end of the archive.
    pub(crate) fn apply<R: Read>(&mut self, layer: R) -> Result<R, LayerError> {
        self.tree.begin_layer();
        let mut archive = TarReader::new(layer);
        while let Some(entry) = archive.next()? {
            self.entry(entry, &mut archive)?;
        }
        Ok(archive.into_inner())
    }

    /// Writes the metadata; the file is complete then.
    pub(crate) fn finish(self) -> Result<File, WriteError> {
        self.data.finish(&self.tree)
    }

    fn entry(&mut self, entry: Entry, data: &mut dyn Read) -> Result<(), LayerError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(LayerError::TooManyEntries(self.limits.entries));
        }
        if self.whiteout(&entry.path)? {
            return Ok(());
        }
        self.check_xattrs(&entry)?;
        let path = entry.path;
        let content = match entry.kind {
            EntryKind::HardLink(target) => return Ok(self.tree.hard_link(&path, &target)?),
            EntryKind::Directory => Content::Directory(Default::default()),
            EntryKind::Symlink(target) if target.is_empty() || target.len() > 4095 || target.contains(&0) => {
                return Err(LayerError::BadSymlink(shown(&path)));
            }
            EntryKind::Symlink(target) => Content::Symlink(target),
            EntryKind::CharDevice { major, minor } => Content::CharDevice { major, minor },
            EntryKind::BlockDevice { major, minor } => Content::BlockDevice { major, minor },
            EntryKind::Fifo => Content::Fifo,
            EntryKind::File => {
                self.bytes = self.bytes.saturating_add(entry.size);
                if self.bytes > self.limits.unpacked_bytes {
                    return Err(LayerError::TooManyBytes(self.limits.unpacked_bytes));
                }
                let written = self.data.write_file(entry.size, &entry.segments, data);
                Content::File(written.map_err(|source| LayerError::Write { path: shown(&path), source })?)
            }
        };
        // A symbolic link has no permissions of its own; all of them are what lstat(2) shows.
        let mode = if matches!(content, Content::Symlink(_)) { 0o777 } else { entry.mode };
        let (uid, gid, mtime, mtime_nsec) = (entry.uid, entry.gid, entry.mtime, entry.mtime_nsec);
        let attributes = Attributes { mode, uid, gid, mtime, mtime_nsec, xattrs: entry.xattrs };
        Ok(self.tree.insert(&path, attributes, content)?)
    }

    /// Applies a whiteout, if the entry is one (OCI image-spec, layer.md, "Whiteouts").
    fn whiteout(&mut self, path: &[u8]) -> Result<bool, LayerError> {
        let trimmed = path.strip_suffix(b"/").unwrap_or(path);
        let name_start = trimmed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (parent, name) = trimmed.split_at(name_start);
        let Some(hidden) = name.strip_prefix(b".wh.") else { return Ok(false) };
        match hidden {
            b".wh..opq" => self.tree.clear_lower(parent)?,
            // AUFS kept notes of its own under such names; they mean nothing elsewhere.
            _ if hidden.starts_with(b".wh.") => {}
            b"" | b"." | b".." => return Err(LayerError::BadWhiteout(shown(path))),
            hidden => self.tree.remove_lower(&[parent, hidden].concat())?,
        }
        Ok(true)
    }

    fn check_xattrs(&self, entry: &Entry) -> Result<(), LayerError> {
        let bytes = entry.xattrs.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        let limit = self.limits.xattr_bytes;
        let too_many = bytes > limit;
        if too_many { Err(LayerError::TooManyXattrs { path: shown(&entry.path), bytes, limit }) } else { Ok(()) }
    }
}
