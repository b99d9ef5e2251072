use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::layout::*;
use super::{directory, xattr};

/// Bytes that can be read at any offset.
pub trait ReadAt {
    /// Fills the buffer from that offset on; an early end is an error of kind `UnexpectedEof`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for &[u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buffer.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(part);
        Ok(())
    }
}

/// The number of an inode: its offset in the metadata area in units of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nid(pub u64);

/// A file of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// Its number.
    pub nid: Nid,
    /// Its type.
    pub kind: FileKind,
    /// Permission bits, with set-user-ID, set-group-ID and sticky bit.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of its data.
    pub size: u64,
    /// Names it has.
    pub links: u32,
    /// Time of modification in seconds since the epoch.
    pub mtime: i64,
    /// Where its data begin in the image file, in bytes; they are contiguous there. `None` if it has no data there (devices,
    /// or directories and links of images by other writers whose last block is apart).
    pub data_offset: Option<u64>,
    /// Major and minor number of a device.
    pub device: Option<(u32, u32)>,
    xattr_icount: u16,
    /// Bytes from the inode's beginning to its attributes.
    head: u64,
    blocks_offset: u64,
    /// Where the last, partial block is, if it follows the inode.
    inline_offset: Option<u64>,
}

impl Inode {
    /// The full `st_mode`.
    pub fn st_mode(&self) -> u32 {
        u32::from(self.kind.mode_bits() | self.mode)
    }

    /// Whether anybody may execute it.
    pub fn is_executable(&self) -> bool {
        self.kind == FileKind::Regular && self.mode & 0o111 != 0
    }
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without slashes and zero bytes.
    pub name: Vec<u8>,
    /// What it names.
    pub nid: Nid,
}

/// An image that cannot be read, or a path that it does not have.
#[derive(Debug, thiserror::Error)]
pub enum ErofsError {
    /// The file could not be read.
    #[error("cannot read the file system image")]
    Io(#[from] io::Error),
    /// It has no EROFS superblock.
    #[error("the file system image is not EROFS; run 'coracle system check --fix' to rebuild it")]
    NotErofs,
    /// The superblock's checksum is wrong.
    #[error("the file system image's superblock is damaged; run 'coracle system check --fix' to rebuild it")]
    Checksum,
    /// It uses features (compression, other block sizes) that images of this store never have.
    #[error("the file system image uses features that are not supported (incompatible features {features:#x})")]
    Unsupported {
        /// `feature_incompat`
        features: u32,
    },
    /// A structure is malformed.
    #[error("the file system image is damaged at inode {nid}: {what}")]
    Malformed {
        /// The inode.
        nid: u64,
        /// Which part.
        what: &'static str,
    },
    /// The path does not exist.
    #[error("'{0}' does not exist in the image")]
    NotFound(String),
    /// A parent in the path is not a directory.
    #[error("'{0}' leads through something that is not a directory")]
    NotADirectory(String),
    /// Symbolic links lead in a circle.
    #[error("'{0}' leads through too many symbolic links")]
    SymlinkLoop(String),
    /// The file is not of the type that was asked for.
    #[error("inode {nid} is a {kind:?}, which cannot be read this way")]
    WrongKind {
        /// The inode.
        nid: u64,
        /// Its type.
        kind: FileKind,
    },
    /// The file is larger than the caller accepts.
    #[error("a file of {size} bytes is larger than the {limit} that are accepted here")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The caller's limit.
        limit: u64,
    },
}

/// A read-only view of an uncompressed EROFS image. Nothing in the image is trusted: every number is checked before use.
#[derive(Debug)]
pub struct Reader<S = File> {
    source: S,
    meta_offset: u64,
    root: Nid,
    inodes: u64,
}

impl Reader<File> {
    /// Opens an image file.
    pub fn open(path: &Path) -> Result<Self, ErofsError> {
        Self::new(File::open(path)?)
    }
}

impl<S: ReadAt> Reader<S> {
    /// Reads and checks the superblock.
    pub fn new(source: S) -> Result<Self, ErofsError> {
        let mut block = [0; BLOCK as usize];
        source.read_exact_at(&mut block, 0).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ErofsError::NotErofs,
            _ => ErofsError::Io(error),
        })?;
        let sb = &mut block[SUPER_OFFSET..];
        let u32_at = |sb: &[u8], offset| u32::from_le_bytes(field(sb, offset));
        if u32_at(sb, 0) != MAGIC {
            return Err(ErofsError::NotErofs);
        }
        let features = u32_at(sb, 80);
        if features != 0 || sb[12] != BLOCK_BITS {
            return Err(ErofsError::Unsupported { features });
        }
        let checksum = u32_at(sb, 4);
        sb[4..8].fill(0);
        if u32_at(sb, 8) & COMPAT_SB_CHKSUM != 0 && crc32c(!0, sb) != checksum {
            return Err(ErofsError::Checksum);
        }
        Ok(Self {
            meta_offset: u64::from(u32_at(sb, 40)) * BLOCK,
            root: Nid(u64::from(u16::from_le_bytes(field(sb, 14)))),
            inodes: u64::from_le_bytes(field(sb, 16)),
            source,
        })
    }

    /// The root directory's number.
    pub fn root(&self) -> Nid {
        self.root
    }

    /// The number of files.
    pub fn inode_count(&self) -> u64 {
        self.inodes
    }

    /// Reads an inode.
    pub fn inode(&self, nid: Nid) -> Result<Inode, ErofsError> {
        let malformed = |what| ErofsError::Malformed { nid: nid.0, what };
        let offset =
            nid.0.checked_mul(SLOT).and_then(|o| o.checked_add(self.meta_offset)).ok_or(malformed("number"))?;
        let mut bytes = [0; EXTENDED_INODE];
        self.read(nid, &mut bytes[..COMPACT_INODE], offset, "inode")?;
        let format = u16::from_le_bytes(field(&bytes, 0));
        let extended = format & 1 == 1;
        if extended {
            self.read(nid, &mut bytes, offset, "inode")?;
        }
        let layout = (format >> 1) & 7;
        if !matches!(layout, FLAT_PLAIN | FLAT_INLINE) {
            return Err(malformed("data layout"));
        }
        let mode = u16::from_le_bytes(field(&bytes, 4));
        let kind = FileKind::from_mode(u32::from(mode)).ok_or(malformed("file type"))?;
        let u16_at = |offset| u32::from(u16::from_le_bytes(field(&bytes, offset)));
        let u32_at = |offset| u32::from_le_bytes(field(&bytes, offset));
        let (size, links, uid, gid, mtime) = if extended {
            let mtime = i64::from_le_bytes(field(&bytes, 32));
            (u64::from_le_bytes(field(&bytes, 8)), u32_at(44), u32_at(24), u32_at(28), mtime)
        } else {
            (u64::from(u32_at(8)), u16_at(6), u16_at(24), u16_at(26), 0)
        };
        let xattr_icount = u16::from_le_bytes(field(&bytes, 2));
        let is_device = matches!(kind, FileKind::CharDevice | FileKind::BlockDevice);
        let has_data = matches!(kind, FileKind::Regular | FileKind::Directory | FileKind::Symlink);
        let head = if extended { EXTENDED_INODE } else { COMPACT_INODE } as u64;
        let inline_offset =
            (has_data && layout == FLAT_INLINE).then_some(offset + head + xattr::size_of_icount(xattr_icount) as u64);
        let blocks_offset = u64::from(u32_at(16)) * BLOCK;
        let data_offset = match inline_offset {
            _ if !has_data => None,
            Some(inline) => (size < BLOCK).then_some(inline),
            None => Some(blocks_offset),
        };
        let device = is_device.then(|| decode_device(u32_at(16)));
        let mode = mode & 0o7777;
        #[rustfmt::skip]
        let inode = Inode {
            nid, kind, mode, uid, gid, size, links, mtime, data_offset, device, xattr_icount, head, blocks_offset, inline_offset,
        };
        Ok(inode)
    }

    /// Reads a file's data from a position on; returns how many bytes there were, fewer than asked only at its end.
    pub fn read_at(&self, inode: &Inode, position: u64, buffer: &mut [u8]) -> Result<usize, ErofsError> {
        let available = inode.size.saturating_sub(position);
        let len = buffer.len().min(usize::try_from(available).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..len];
        let in_blocks = match inode.inline_offset {
            Some(_) => inode.size - inode.size % BLOCK,
            None => inode.size,
        };
        let malformed = || ErofsError::Malformed { nid: inode.nid.0, what: "size" };
        let split = buffer.len().min(usize::try_from(in_blocks.saturating_sub(position)).unwrap_or(usize::MAX));
        let (head, tail) = buffer.split_at_mut(split);
        if !head.is_empty() {
            let offset = inode.blocks_offset.checked_add(position).ok_or_else(malformed)?;
            self.read(inode.nid, head, offset, "data")?;
        }
        if let (false, Some(inline)) = (tail.is_empty(), inode.inline_offset) {
            let offset = position.saturating_sub(in_blocks).checked_add(inline).ok_or_else(malformed)?;
            self.read(inode.nid, tail, offset, "inline data")?;
        }
        Ok(len)
    }

    /// Reads a whole regular file of at most `limit` bytes.
    pub fn read_file(&self, inode: &Inode, limit: u64) -> Result<Vec<u8>, ErofsError> {
        if inode.kind != FileKind::Regular {
            return Err(ErofsError::WrongKind { nid: inode.nid.0, kind: inode.kind });
        }
        self.read_data(inode, limit)
    }

    /// The target of a symbolic link.
    pub fn read_link(&self, inode: &Inode) -> Result<Vec<u8>, ErofsError> {
        if inode.kind != FileKind::Symlink {
            return Err(ErofsError::WrongKind { nid: inode.nid.0, kind: inode.kind });
        }
        self.read_data(inode, BLOCK)
    }

    fn read_data(&self, inode: &Inode, limit: u64) -> Result<Vec<u8>, ErofsError> {
        if inode.size > limit {
            return Err(ErofsError::TooLarge { size: inode.size, limit });
        }
        // In steps: a size that the image does not have ends at the image's end, not in a huge allocation.
        let mut data = Vec::new();
        let mut chunk = vec![0; usize::try_from(inode.size.min(256 << 10)).unwrap_or(0)];
        while (data.len() as u64) < inode.size {
            let read = self.read_at(inode, data.len() as u64, &mut chunk)?;
            data.extend_from_slice(&chunk[..read]);
        }
        Ok(data)
    }

    /// The names in a directory, without `.` and `..`, in their order on disk.
    pub fn read_dir(&self, inode: &Inode) -> Result<Vec<DirEntry>, ErofsError> {
        let mut entries = Vec::new();
        self.scan(inode, |name, nid| {
            if !matches!(name, b"." | b"..") {
                entries.push(DirEntry { name: name.to_vec(), nid });
            }
        })?;
        Ok(entries)
    }

    fn scan(&self, inode: &Inode, mut each: impl FnMut(&[u8], Nid)) -> Result<(), ErofsError> {
        if inode.kind != FileKind::Directory {
            return Err(ErofsError::WrongKind { nid: inode.nid.0, kind: inode.kind });
        }
        let mut block = vec![0; usize::try_from(inode.size.min(BLOCK)).unwrap_or(0)];
        let mut position = 0;
        while position < inode.size {
            let read = self.read_at(inode, position, &mut block)?;
            let entries = directory::decode(&block[..read])
                .ok_or(ErofsError::Malformed { nid: inode.nid.0, what: "directory block" })?;
            entries.iter().for_each(|(name, nid)| each(name, Nid(*nid)));
            position += read as u64;
        }
        Ok(())
    }

    pub(super) fn child(&self, directory: &Inode, name: &[u8]) -> Result<Option<Nid>, ErofsError> {
        let mut found = None;
        self.scan(directory, |entry, nid| {
            if entry == name {
                found = Some(nid);
            }
        })?;
        Ok(found)
    }

    /// The extended attributes that are kept with the inode.
    pub fn xattrs(&self, inode: &Inode) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, ErofsError> {
        let malformed = ErofsError::Malformed { nid: inode.nid.0, what: "extended attributes" };
        let mut body = vec![0; xattr::size_of_icount(inode.xattr_icount)];
        // The inode itself was read there, so this cannot overflow.
        let offset = self.meta_offset + inode.nid.0 * SLOT + inode.head;
        self.read(inode.nid, &mut body, offset, "extended attributes")?;
        xattr::decode(&body).ok_or(malformed)
    }

    fn read(&self, nid: Nid, buffer: &mut [u8], offset: u64, what: &'static str) -> Result<(), ErofsError> {
        self.source.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ErofsError::Malformed { nid: nid.0, what },
            _ => ErofsError::Io(error),
        })
    }
}
