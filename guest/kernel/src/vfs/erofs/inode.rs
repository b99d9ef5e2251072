use super::bytes::{le16, le32, le64};
use super::{Image, Malformed};
use crate::vfs::{Kind, Timestamp};

/// The number of an inode: its place in units of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Nid(pub(crate) u64);

const FLAT_PLAIN: u16 = 0;
const FLAT_INLINE: u16 = 2;

/// An inode of the image, decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inode {
    /// Its number.
    pub(crate) nid: Nid,
    /// Type.
    pub(crate) kind: Kind,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Number of names.
    pub(crate) nlink: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Device number.
    pub(crate) rdev: u32,
    /// Length in bytes.
    pub(crate) size: u64,
    /// Time of last change.
    pub(crate) mtime: Timestamp,
    /// Where its blocks begin in the image.
    pub(super) blocks_at: u64,
    /// Where the tail begins that lies behind the inode.
    pub(super) inline_at: u64,
    /// Whether there is one.
    pub(super) inline_tail: bool,
    /// Where its extended attributes begin, and how many bytes they have.
    pub(super) xattrs: (u64, u64),
}

impl<'a> Image<'a> {
    /// Reads an inode.
    pub(crate) fn inode(&self, nid: Nid) -> Result<Inode, Malformed> {
        let at = nid.0.checked_mul(32).and_then(|o| o.checked_add(self.metadata)).ok_or(Malformed::Truncated)?;
        let format = le16(self.slice(at, 32)?, 0)?;
        let extended = format & 1 != 0;
        let header = if extended { 64 } else { 32 };
        let raw = self.slice(at, header)?;
        let layout = (format >> 1) & 7;
        if layout != FLAT_PLAIN && layout != FLAT_INLINE {
            return Err(Malformed::Layout(layout));
        }
        let mode = le16(raw, 4)?;
        let kind = Kind::of_mode(mode.into()).ok_or(Malformed::Mode(mode))?;
        let union = le32(raw, 16)?;
        let xattr_len = match u64::from(le16(raw, 2)?) {
            0 => 0,
            count => 12 + (count - 1) * 4,
        };
        let device = matches!(kind, Kind::CharDevice | Kind::BlockDevice);
        let mut inode = Inode {
            nid,
            kind,
            mode: u32::from(mode) & 0o7777,
            nlink: le16(raw, 6)?.into(),
            uid: le16(raw, 24)?.into(),
            gid: le16(raw, 26)?.into(),
            rdev: if device { union } else { 0 },
            size: le32(raw, 8)?.into(),
            mtime: Timestamp { sec: self.build_time.0 as i64, nsec: self.build_time.1 % 1_000_000_000 },
            blocks_at: u64::from(union) << self.block_bits,
            inline_at: at + header + xattr_len,
            inline_tail: layout == FLAT_INLINE,
            xattrs: (at + header, xattr_len),
        };
        if extended {
            inode.size = le64(raw, 8)?;
            inode.uid = le32(raw, 24)?;
            inode.gid = le32(raw, 28)?;
            inode.mtime = Timestamp { sec: le64(raw, 32)? as i64, nsec: le32(raw, 40)? % 1_000_000_000 };
            inode.nlink = le32(raw, 44)?;
        }
        if !matches!(kind, Kind::Regular | Kind::Directory | Kind::Symlink) {
            inode.size = 0;
        }
        Ok(inode)
    }
}
