//! A reader of uncompressed EROFS images that lie in memory, after `fs/erofs/erofs_fs.h` of Linux and
//! <https://erofs.docs.kernel.org/en/latest/core_ondisk.html>.
//!
//! Nothing is copied: file contents and names are slices of the image. Every number in the image is checked where it is
//! used; a malformed image gives an error for the file concerned.

mod bytes;
mod dir;
mod inode;
mod xattr;

use bytes::{le16, le32, le64, slice};
pub(crate) use inode::{Inode, Nid};

use linux_abi::Errno;

const SUPERBLOCK_OFFSET: u64 = 1024;
const MAGIC: u32 = 0xe0f5_e1e2;
/// Incompatible features that change nothing for uncompressed files: zero padding (0x1), big physical clusters (0x2),
/// chunked files (0x4, refused file by file), fragments (0x20), long prefixes of attributes (0x40).
const UNDERSTOOD_FEATURES: u32 = 0x1 | 0x2 | 0x4 | 0x20 | 0x40;

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Something lies beyond the end of the image.
    Truncated,
    /// The superblock has another magic number.
    Magic(u32),
    /// A block size outside 512 to 65536.
    BlockSize(u8),
    /// Features that this reader does not know.
    Features(u32),
    /// An inode whose data is stored in a way that this reader does not know (compressed or chunked).
    Layout(u16),
    /// An inode with a mode that is no type of file.
    Mode(u16),
    /// A directory block whose entries contradict each other.
    Directory,
    /// An extended attribute that does not fit into its inode.
    Attribute,
}

impl From<Malformed> for Errno {
    fn from(error: Malformed) -> Self {
        match error {
            Malformed::Layout(_) | Malformed::Features(_) => Self::EOPNOTSUPP,
            _ => Self::EUCLEAN,
        }
    }
}

/// An image.
#[derive(Clone, Copy)]
pub(crate) struct Image<'a> {
    data: &'a [u8],
    block_bits: u32,
    root: Nid,
    metadata: u64,
    shared_attributes: u64,
    build_time: (u64, u32),
    inodes: u64,
}

impl<'a> Image<'a> {
    /// Reads the superblock.
    pub(crate) fn new(data: &'a [u8]) -> Result<Self, Malformed> {
        let sb = slice(data, SUPERBLOCK_OFFSET, 128)?;
        let magic = le32(sb, 0)?;
        if magic != MAGIC {
            return Err(Malformed::Magic(magic));
        }
        let block_bits = sb[12];
        if !(9..=16).contains(&block_bits) {
            return Err(Malformed::BlockSize(block_bits));
        }
        let unknown = le32(sb, 80)? & !UNDERSTOOD_FEATURES;
        if unknown != 0 {
            return Err(Malformed::Features(unknown));
        }
        Ok(Self {
            data,
            block_bits: block_bits.into(),
            root: Nid(le16(sb, 14)?.into()),
            inodes: le64(sb, 16)?,
            build_time: (le64(sb, 24)?, le32(sb, 32)?),
            metadata: u64::from(le32(sb, 40)?) << block_bits,
            shared_attributes: u64::from(le32(sb, 44)?) << block_bits,
        })
    }

    /// The root directory.
    pub(crate) fn root(&self) -> Nid {
        self.root
    }

    /// The number of inodes.
    pub(crate) fn inodes(&self) -> u64 {
        self.inodes
    }

    /// The size of the whole image in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.data.len() as u64
    }

    fn block_size(&self) -> u64 {
        1 << self.block_bits
    }

    fn slice(&self, offset: u64, len: u64) -> Result<&'a [u8], Malformed> {
        slice(self.data, offset, len)
    }

    /// The bytes of a file from `offset` on, as far as they lie together; empty at the end.
    pub(crate) fn data(&self, inode: &Inode, offset: u64) -> Result<&'a [u8], Malformed> {
        if offset >= inode.size {
            return Ok(&[]);
        }
        let plain = self.plain_len(inode);
        if offset < plain {
            return self.slice(inode.blocks_at.checked_add(offset).ok_or(Malformed::Truncated)?, plain - offset);
        }
        let at = inode.inline_at.checked_add(offset - plain).ok_or(Malformed::Truncated)?;
        self.slice(at, inode.size - offset)
    }

    /// How many bytes of the file lie in blocks of their own (the rest lies behind the inode).
    fn plain_len(&self, inode: &Inode) -> u64 {
        if !inode.inline_tail {
            return inode.size;
        }
        let blocks = inode.size.div_ceil(self.block_size());
        blocks.saturating_sub(1) << self.block_bits
    }

    /// The part of the file that can be mapped in pages: its byte offset in the image and its length, both multiples of
    /// 4096. It covers the file's last page too if that has a block of its own.
    pub(crate) fn extent(&self, inode: &Inode) -> Option<(u64, u64)> {
        const PAGE: u64 = platform::PAGE_SIZE;
        let plain = self.plain_len(inode);
        // Blocks smaller than a page leave other data behind the end of the file in its last page.
        let len = if self.block_size() >= PAGE { plain.next_multiple_of(PAGE) } else { plain & !(PAGE - 1) };
        let fits = inode.blocks_at.checked_add(len).is_some_and(|end| end <= self.len());
        (inode.blocks_at.is_multiple_of(PAGE) && len > 0 && fits).then_some((inode.blocks_at, len))
    }
}

/// Walks a whole image, however malformed; for fuzzing.
pub fn parse_image(data: &[u8]) {
    let Ok(image) = Image::new(data) else { return };
    let mut todo = alloc::vec![image.root()];
    for _ in 0..1000 {
        let Some(inode) = todo.pop().and_then(|nid| image.inode(nid).ok()) else { break };
        let _ = image.data(&inode, 0);
        let _ = image.data(&inode, inode.size.saturating_sub(1));
        let _ = image.extent(&inode);
        let _ = image.xattrs(&inode, &mut |_, _, _| true);
        let _ = image.lookup(&inode, b"name");
        let _ = image.entries(&inode, 0, &mut |entry| {
            let _ = image.lookup(&inode, entry.name);
            todo.push(entry.nid);
            todo.len() < 100
        });
    }
}

#[cfg(test)]
mod tests;
